-- Leads and the forms that catch them.

-- +goose Up
create table lead_forms (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, public_id text not null, title text, intro text, thanks text, redirect_url text, fields jsonb, consent_text text, active boolean not null default true, allowed_hosts text[] not null default '{}',
  constraint lead_forms_pkey primary key (tenant_id, id),
  constraint lead_forms_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint lead_forms_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table lead_forms is 'Public forms that catch leads.';
create unique index lead_forms_external_id_key on lead_forms (tenant_id, external_id) where deleted_at is null and external_id is not null;
create unique index lead_forms_public_id_key on lead_forms (public_id);
select app_protect_tenant_table('lead_forms');

-- A public form is found before a tenant is known.
-- +goose StatementBegin
create function lead_form_tenant(wanted text) returns table (tenant_id uuid, form_id uuid)
  language sql stable security definer set search_path = public, pg_temp
as $$ select f.tenant_id, f.id from lead_forms f join tenants t on t.id = f.tenant_id
  where f.public_id = wanted and f.active and f.deleted_at is null and t.state = 'active' $$;
-- +goose StatementEnd
revoke all on function lead_form_tenant(text) from public;
grant execute on function lead_form_tenant(text) to crm_app;

create table leads (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  first_name text, last_name text, email text, phone text, company text, title text, website text, industry text, employees bigint, source text,
  status text not null default 'new', disqualify_reason text, message text, utm jsonb, referrer text, landing_page text, form_id uuid, consent jsonb,
  score bigint, score_grade text, score_probability double precision, score_model_id uuid, score_reasons jsonb, scored_at timestamptz,
  first_response_at timestamptz, converted_at timestamptz, converted_contact_id uuid, converted_account_id uuid, converted_deal_id uuid,
  constraint leads_status_check check (status in ('new', 'working', 'nurturing', 'qualified', 'disqualified', 'converted')),
  constraint leads_pkey primary key (tenant_id, id),
  constraint leads_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint leads_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table leads is 'People who may become customers.';
create unique index leads_external_id_key on leads (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index leads_created_at_idx on leads (tenant_id, created_at desc, id desc);
create index leads_owner_id_idx on leads (tenant_id, owner_id, created_at desc, id desc);
alter table leads add constraint leads_form_id_fkey foreign key (tenant_id, form_id) references lead_forms (tenant_id, id);
create index leads_form_id_idx on leads (tenant_id, form_id);
alter table leads add constraint leads_converted_contact_id_fkey foreign key (tenant_id, converted_contact_id) references contacts (tenant_id, id);
create index leads_converted_contact_id_idx on leads (tenant_id, converted_contact_id);
alter table leads add constraint leads_converted_account_id_fkey foreign key (tenant_id, converted_account_id) references accounts (tenant_id, id);
create index leads_converted_account_id_idx on leads (tenant_id, converted_account_id);
alter table leads add constraint leads_converted_deal_id_fkey foreign key (tenant_id, converted_deal_id) references deals (tenant_id, id);
create index leads_converted_deal_id_idx on leads (tenant_id, converted_deal_id);
create index leads_score_idx on leads (tenant_id, score desc nulls last, id desc) where deleted_at is null;
create index leads_status_idx on leads (tenant_id, status, created_at desc, id desc) where deleted_at is null;
create index leads_email_idx on leads (tenant_id, email) where deleted_at is null;
select app_protect_tenant_table('leads');

-- +goose Down
drop table leads;
drop function lead_form_tenant(text);
drop table lead_forms;
