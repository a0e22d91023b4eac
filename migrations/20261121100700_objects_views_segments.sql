-- Saved views and segments.

-- +goose Up
create table saved_views (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, object text not null, filter jsonb, q text, sort text, columns text[] not null default '{}', group_by text, layout text not null default 'list',
  sharing text not null default 'private', position bigint, is_default boolean not null default false,
  constraint saved_views_pkey primary key (tenant_id, id),
  constraint saved_views_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint saved_views_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id),
  constraint saved_views_sharing_check check (sharing in ('private', 'team', 'all')),
  constraint saved_views_layout_check check (layout in ('list', 'board'))
);
comment on table saved_views is 'Ways to look at a list: filter, sort, columns. They never widen what the reader may see.';
create unique index saved_views_external_id_key on saved_views (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index saved_views_object_idx on saved_views (tenant_id, object, position);
create index saved_views_created_at_idx on saved_views (tenant_id, created_at desc, id desc);
select app_protect_tenant_table('saved_views');

create table segments (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, description text, object text not null, kind text not null default 'dynamic', filter jsonb,
  constraint segments_pkey primary key (tenant_id, id),
  constraint segments_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint segments_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id),
  constraint segments_kind_check check (kind in ('dynamic', 'static'))
);
comment on table segments is 'Named sets of records of one object: a filter (dynamic) or a list (static, see segment_members).';
create unique index segments_external_id_key on segments (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index segments_created_at_idx on segments (tenant_id, created_at desc, id desc);
create index segments_owner_id_idx on segments (tenant_id, owner_id, created_at desc, id desc);
select app_protect_tenant_table('segments');

create table segment_members (
  tenant_id  uuid not null,
  segment_id uuid not null,
  record_id  uuid not null,
  added_at   timestamptz not null,
  added_by   uuid,
  constraint segment_members_pkey primary key (tenant_id, segment_id, record_id),
  constraint segment_members_segment_id_fkey foreign key (tenant_id, segment_id) references segments (tenant_id, id) on delete cascade
);
comment on table segment_members is 'Who is in a static segment. Records may lie in the bin; lists leave those out.';
create index segment_members_record_idx on segment_members (tenant_id, record_id);
select app_protect_tenant_table('segment_members');

-- Tenants that exist already: the built-in sales roles get what new tenants' roles have.
update roles set grants = coalesce(grants, '{}') || '{"view:create": "own", "view:read": "all", "view:update": "own", "view:delete": "own", "segment:create": "own", "segment:read": "all"}'
where built_in and key in ('sales_manager', 'sales_rep');
update roles set grants = grants || '{"segment:update": "own", "segment:delete": "own"}' where built_in and key = 'sales_rep';
update roles set grants = grants || '{"segment:update": "team", "segment:delete": "team"}' where built_in and key = 'sales_manager';

-- +goose Down
drop table segment_members;
drop table segments;
drop table saved_views;
