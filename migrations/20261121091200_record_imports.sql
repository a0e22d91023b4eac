-- Imports: one row per file, the rows that were refused, and links to wait for.

-- +goose Up
create table imports (
  tenant_id      uuid not null,
  id             uuid not null,
  object         text not null,
  state          text not null default 'queued',
  file_name      text not null default '',
  file_bytes     bigint not null,
  preset         text not null default '',
  mode           text not null,
  key            text not null default '',
  dry_run        boolean not null default false,
  create_fields  boolean not null default false,
  mapping        jsonb,
  dialect        jsonb not null,
  plan           jsonb,
  actor          jsonb not null,
  total          bigint,
  read_offset    bigint not null default 0,
  read           bigint not null default 0,
  created        bigint not null default 0,
  updated        bigint not null default 0,
  skipped        bigint not null default 0,
  failed         bigint not null default 0,
  warnings       jsonb not null default '[]',
  error          text not null default '',
  worked_ms      bigint not null default 0,
  undo_state     text not null default '',
  undone         bigint not null default 0,
  undo_conflicts jsonb not null default '[]',
  created_at     timestamptz not null,
  created_by     uuid,
  started_at     timestamptz,
  finished_at    timestamptz,
  constraint imports_pkey primary key (tenant_id, id),
  constraint imports_state_check check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  constraint imports_mode_check check (mode in ('create', 'update', 'upsert')),
  constraint imports_undo_state_check check (undo_state in ('', 'queued', 'running', 'done', 'failed')),
  -- Every row that was read has exactly one fate.
  constraint imports_read_check check (read = created + updated + skipped + failed)
);
comment on table imports is 'Files being taken in: the plan, how far it has come (committed with the rows themselves) and what became of the rows.';
select app_protect_tenant_table('imports');

create table import_errors (
  tenant_id  uuid not null,
  import_id  uuid not null,
  row_number bigint not null,
  field      text not null,
  code       text not null,
  reason     text not null,
  raw        jsonb not null,
  constraint import_errors_pkey primary key (tenant_id, import_id, row_number),
  constraint import_errors_import_id_fkey foreign key (tenant_id, import_id) references imports (tenant_id, id) on delete cascade
);
comment on table import_errors is 'Rows of a file that were refused, as they stood there, and why.';
select app_protect_tenant_table('import_errors');

create table import_links (
  tenant_id uuid not null,
  import_id uuid not null,
  record_id uuid not null,
  field     text not null,
  value     text not null,
  constraint import_links_pkey primary key (tenant_id, import_id, record_id, field),
  constraint import_links_import_id_fkey foreign key (tenant_id, import_id) references imports (tenant_id, id) on delete cascade
);
comment on table import_links is 'Links to records of the same object that may stand further down the file; drawn when all rows are in.';
select app_protect_tenant_table('import_links');

-- +goose Down
drop table import_links;
drop table import_errors;
drop table imports;
