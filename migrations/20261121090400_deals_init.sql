-- Pipelines, stages, products and deals.

-- +goose Up
create table pipelines (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, currency text, position bigint not null default 0, is_default boolean not null default false,
  constraint pipelines_pkey primary key (tenant_id, id),
  constraint pipelines_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint pipelines_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table pipelines is 'Ways a deal goes from first talk to an end.';
create unique index pipelines_external_id_key on pipelines (tenant_id, external_id) where deleted_at is null and external_id is not null;
create unique index pipelines_name_key on pipelines (tenant_id, name) where deleted_at is null;
select app_protect_tenant_table('pipelines');

create table stages (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  pipeline_id uuid not null, name text not null, position bigint not null, probability bigint not null, kind text not null default 'open', stale_days bigint,
  constraint stages_kind_check check (kind in ('open', 'won', 'lost')), constraint stages_probability_check check (probability between 0 and 100),
  constraint stages_pkey primary key (tenant_id, id),
  constraint stages_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint stages_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table stages is 'Steps of a pipeline, in order of position.';
create unique index stages_external_id_key on stages (tenant_id, external_id) where deleted_at is null and external_id is not null;
create unique index stages_name_key on stages (tenant_id, pipeline_id, name) where deleted_at is null;
alter table stages add constraint stages_pipeline_id_fkey foreign key (tenant_id, pipeline_id) references pipelines (tenant_id, id);
create index stages_pipeline_id_idx on stages (tenant_id, pipeline_id);
select app_protect_tenant_table('stages');

create table products (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, code text, description text, price bigint, price_currency text, family text, active boolean not null default true,
  constraint products_pkey primary key (tenant_id, id),
  constraint products_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint products_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table products is 'What is sold.';
create unique index products_external_id_key on products (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index products_created_at_idx on products (tenant_id, created_at desc, id desc);
create index products_owner_id_idx on products (tenant_id, owner_id, created_at desc, id desc);
create unique index products_code_key on products (tenant_id, code) where deleted_at is null and code is not null;
select app_protect_tenant_table('products');

create table deals (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, account_id uuid, contact_id uuid, product_id uuid, pipeline_id uuid not null, stage_id uuid not null, position double precision not null default 0,
  amount bigint, amount_currency text, probability bigint not null default 0, weighted_amount bigint, weighted_amount_currency text, expected_close_date date,
  status text not null default 'open', closed_at timestamptz, stage_entered_at timestamptz, lost_reason text, forecast_category text, next_activity_at timestamptz, source text, win_probability double precision,
  constraint deals_status_check check (status in ('open', 'won', 'lost')), constraint deals_amount_check check ((amount is null) = (amount_currency is null)),
  constraint deals_pkey primary key (tenant_id, id),
  constraint deals_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint deals_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table deals is 'Sales on their way.';
create unique index deals_external_id_key on deals (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index deals_created_at_idx on deals (tenant_id, created_at desc, id desc);
create index deals_owner_id_idx on deals (tenant_id, owner_id, created_at desc, id desc);
alter table deals add constraint deals_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id);
create index deals_account_id_idx on deals (tenant_id, account_id);
alter table deals add constraint deals_contact_id_fkey foreign key (tenant_id, contact_id) references contacts (tenant_id, id);
create index deals_contact_id_idx on deals (tenant_id, contact_id);
alter table deals add constraint deals_product_id_fkey foreign key (tenant_id, product_id) references products (tenant_id, id);
create index deals_product_id_idx on deals (tenant_id, product_id);
alter table deals add constraint deals_pipeline_id_fkey foreign key (tenant_id, pipeline_id) references pipelines (tenant_id, id);
create index deals_pipeline_id_idx on deals (tenant_id, pipeline_id);
alter table deals add constraint deals_stage_id_fkey foreign key (tenant_id, stage_id) references stages (tenant_id, id);
create index deals_board_idx on deals (tenant_id, stage_id, position, id) where deleted_at is null;
create index deals_closed_at_idx on deals (tenant_id, closed_at desc nulls last, id desc);
select app_protect_tenant_table('deals');

-- +goose Down
drop table deals;
drop table products;
drop table stages;
drop table pipelines;
