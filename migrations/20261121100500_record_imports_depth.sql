-- Imports in depth: files kept between the steps of the wizard, mappings remembered by
-- headings, counts per object, samples of dry runs, and what dry runs have seen.

-- +goose Up
alter table imports
  add column create_options boolean not null default false,
  add column blank text not null default 'keep',
  add column sheet text not null default '',
  add column upload_id uuid,
  add column objects jsonb not null default '{}',
  add column sample jsonb not null default '[]',
  add constraint imports_blank_check check (blank in ('keep', 'clear'));
comment on column imports.upload_id is 'The kept file an import reads; null = a file of its own, under the id of the import.';

create table import_uploads (
  tenant_id  uuid not null,
  id         uuid not null,
  file_name  text not null default '',
  file_bytes bigint not null,
  sheet      text not null default '',
  sheets     text[] not null default '{}',
  object     text not null,
  preset     text not null default '',
  mode       text not null default '',
  dialect    jsonb not null,
  created_at timestamptz not null,
  created_by uuid,
  constraint import_uploads_pkey primary key (tenant_id, id)
);
comment on table import_uploads is 'Files looked at and not imported yet; the sweep drops them after a day.';
select app_protect_tenant_table('import_uploads');

create table import_mappings (
  tenant_id   uuid not null,
  object      text not null,
  fingerprint text not null,
  mapping     jsonb not null,
  used_at     timestamptz not null,
  used_by     uuid,
  constraint import_mappings_pkey primary key (tenant_id, object, fingerprint)
);
comment on table import_mappings is 'What the columns of a file with these headings were mapped to last.';
select app_protect_tenant_table('import_mappings');

create table import_marks (
  tenant_id uuid not null,
  import_id uuid not null,
  mark      bigint not null,
  constraint import_marks_pkey primary key (tenant_id, import_id, mark),
  constraint import_marks_import_id_fkey foreign key (tenant_id, import_id) references imports (tenant_id, id) on delete cascade
);
comment on table import_marks is 'Hashes of the unique values a dry run would have written, so that its later chunks find doubles of its earlier ones.';
select app_protect_tenant_table('import_marks');

-- +goose Down
drop table import_marks;
drop table import_mappings;
drop table import_uploads;
alter table imports
  drop constraint imports_blank_check,
  drop column sample,
  drop column objects,
  drop column upload_id,
  drop column sheet,
  drop column blank,
  drop column create_options;
