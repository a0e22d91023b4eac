-- Exports: one row per file asked for, and what became of it.

-- +goose Up
create table exports (
  tenant_id   uuid not null,
  id          uuid not null,
  object      text not null,
  format      text not null,
  state       text not null default 'queued',
  query       text not null default '',
  fields      text[] not null,
  actor       jsonb not null,
  scope       text not null,
  rows        bigint not null default 0,
  total       bigint,
  bytes       bigint not null default 0,
  error       text not null default '',
  created_at  timestamptz not null,
  created_by  uuid,
  started_at  timestamptz,
  finished_at timestamptz,
  expires_at  timestamptz,
  constraint exports_pkey primary key (tenant_id, id),
  constraint exports_format_check check (format in ('csv', 'xlsx', 'ndjson')),
  constraint exports_state_check check (state in ('queued', 'running', 'done', 'failed', 'cancelled', 'expired')),
  constraint exports_scope_check check (scope in ('own', 'team', 'all'))
);
comment on table exports is 'Files of what a list showed: the list as an address, who asked, and how far it has come.';
create index exports_expires_at_idx on exports (tenant_id, expires_at) where state = 'done';
select app_protect_tenant_table('exports');

-- +goose Down
drop table exports;
