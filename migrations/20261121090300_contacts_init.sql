-- Contacts and accounts.

-- +goose Up
create table accounts (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, domain text, industry text, employees bigint, annual_revenue bigint, annual_revenue_currency text, phone text, website text, parent_id uuid, billing_address jsonb, shipping_address jsonb,
  constraint accounts_pkey primary key (tenant_id, id),
  constraint accounts_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint accounts_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table accounts is 'Companies.';
create unique index accounts_external_id_key on accounts (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index accounts_created_at_idx on accounts (tenant_id, created_at desc, id desc);
create index accounts_owner_id_idx on accounts (tenant_id, owner_id, created_at desc, id desc);
create index accounts_name_idx on accounts (tenant_id, name, id);
create index accounts_domain_idx on accounts (tenant_id, domain) where deleted_at is null;
alter table accounts add constraint accounts_parent_id_fkey foreign key (tenant_id, parent_id) references accounts (tenant_id, id);
create index accounts_parent_id_idx on accounts (tenant_id, parent_id);
select app_protect_tenant_table('accounts');

create table contacts (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  first_name text, last_name text, email text, emails jsonb, phone text, phones jsonb, title text, account_id uuid, lifecycle text, source text, language text, time_zone text, address jsonb, do_not_contact boolean not null default false, last_contacted_at timestamptz,
  constraint contacts_pkey primary key (tenant_id, id),
  constraint contacts_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint contacts_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table contacts is 'People.';
create unique index contacts_external_id_key on contacts (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index contacts_created_at_idx on contacts (tenant_id, created_at desc, id desc);
create index contacts_owner_id_idx on contacts (tenant_id, owner_id, created_at desc, id desc);
create index contacts_last_name_idx on contacts (tenant_id, last_name, id);
create index contacts_email_idx on contacts (tenant_id, email) where deleted_at is null;
alter table contacts add constraint contacts_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id);
create index contacts_account_id_idx on contacts (tenant_id, account_id);
select app_protect_tenant_table('contacts');

-- +goose Down
drop table contacts;
drop table accounts;
