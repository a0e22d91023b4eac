-- Objects that a tenant makes: their definitions, and one table for all their records.

-- +goose Up
create table custom_objects (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, plural text not null, label text not null, label_plural text not null, description text, icon text, owned boolean not null default true,
  constraint custom_objects_pkey primary key (tenant_id, id),
  constraint custom_objects_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint custom_objects_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id),
  -- Also of archived ones: their records are still there under the name.
  constraint custom_objects_name_key unique (tenant_id, name),
  constraint custom_objects_plural_key unique (tenant_id, plural),
  constraint custom_objects_name_check check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint custom_objects_plural_check check (plural ~ '^[a-z][a-z0-9_]{0,39}$')
);
comment on table custom_objects is 'Objects a tenant made; archived ones lie in the bin and keep their records.';
create unique index custom_objects_external_id_key on custom_objects (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index custom_objects_created_at_idx on custom_objects (tenant_id, created_at desc, id desc);
select app_protect_tenant_table('custom_objects');

-- Every statement over it names the object: see record.Definition.Table. Its foreign key
-- keeps an object that has records from being purged.
create table custom_records (
  tenant_id uuid not null, id uuid not null, object text not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null,
  constraint custom_records_pkey primary key (tenant_id, id),
  constraint custom_records_object_fkey foreign key (tenant_id, object) references custom_objects (tenant_id, name),
  constraint custom_records_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint custom_records_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table custom_records is 'Records of the objects that tenants made; all their own fields are in custom.';
create unique index custom_records_external_id_key on custom_records (tenant_id, object, external_id) where deleted_at is null and external_id is not null;
create index custom_records_id_idx on custom_records (tenant_id, object, id);
create index custom_records_created_at_idx on custom_records (tenant_id, object, created_at desc, id desc) where deleted_at is null;
create index custom_records_name_idx on custom_records (tenant_id, object, name, id) where deleted_at is null;
create index custom_records_owner_id_idx on custom_records (tenant_id, object, owner_id, created_at desc, id desc) where deleted_at is null;
create index custom_records_deleted_at_idx on custom_records (tenant_id, object, deleted_at, id) where deleted_at is not null;
select app_protect_tenant_table('custom_records');

-- The built-in sales roles see which objects there are; the objects' own records need
-- grants of their own.
update roles set grants = coalesce(grants, '{}') || '{"custom_object:read": "all"}' where built_in and key in ('sales_manager', 'sales_rep');

-- +goose Down
update roles set grants = grants - 'custom_object:read' where built_in and key in ('sales_manager', 'sales_rep');
drop table custom_records;
drop table custom_objects;
