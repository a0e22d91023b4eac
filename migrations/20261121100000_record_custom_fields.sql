-- Custom fields with rules, computed custom fields, and the narrow tables beside the
-- custom documents that make a value unique or quick to find.

-- +goose Up
alter table custom_fields add column settings jsonb not null default '{}';
alter table custom_fields add column deleted_at timestamptz;
alter table custom_fields add column updated_at timestamptz;
comment on column custom_fields.deleted_at is 'Hidden since then: values are kept, the name stays taken, until the field is purged.';

create table custom_field_versions (
  tenant_id uuid not null,
  version   bigint not null,
  constraint custom_field_versions_pkey primary key (tenant_id)
);
comment on table custom_field_versions is 'Grows with each change of a tenant''s fields; a save planned with an older set starts again.';
select app_protect_tenant_table('custom_field_versions');

-- One row per living record and unique field. A deleted record has none, so that its
-- value is free again.
create table custom_uniques (
  tenant_id uuid not null,
  field_id  uuid not null,
  value     text not null,
  record_id uuid not null,
  constraint custom_uniques_pkey primary key (tenant_id, field_id, value)
);
comment on table custom_uniques is 'Who holds a value of a unique custom field.';
create index custom_uniques_record_id_idx on custom_uniques (tenant_id, field_id, record_id);
select app_protect_tenant_table('custom_uniques');

-- Only for fields marked indexed or unique. The operators of these types are
-- leakproof, so their indexes serve under row level security, which paths into jsonb
-- would not.
create table custom_values (
  tenant_id  uuid not null,
  field_id   uuid not null,
  record_id  uuid not null,
  text_value text,
  num_value  double precision,
  time_value timestamptz,
  constraint custom_values_pkey primary key (tenant_id, field_id, record_id)
);
comment on table custom_values is 'Values of indexed custom fields, kept by the save path; bins included.';
create index custom_values_text_idx on custom_values (tenant_id, field_id, text_value, record_id) where text_value is not null;
create index custom_values_num_idx on custom_values (tenant_id, field_id, num_value, record_id) where num_value is not null;
create index custom_values_time_idx on custom_values (tenant_id, field_id, time_value, record_id) where time_value is not null;
select app_protect_tenant_table('custom_values');

create table custom_counters (
  tenant_id uuid not null,
  field_id  uuid not null,
  last      bigint not null,
  constraint custom_counters_pkey primary key (tenant_id, field_id)
);
comment on table custom_counters is 'The last number given out by an auto-number field.';
select app_protect_tenant_table('custom_counters');

create table custom_recomputes (
  tenant_id uuid not null,
  object    text not null,
  after_id  uuid not null,
  constraint custom_recomputes_pkey primary key (tenant_id, object)
);
comment on table custom_recomputes is 'Objects whose computed fields are being computed anew, and how far that is.';
select app_protect_tenant_table('custom_recomputes');

-- +goose Down
drop table custom_recomputes;
drop table custom_counters;
drop table custom_values;
drop table custom_uniques;
drop table custom_field_versions;
alter table custom_fields drop column updated_at;
alter table custom_fields drop column deleted_at;
alter table custom_fields drop column settings;
