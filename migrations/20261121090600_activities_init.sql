-- Activities and what they are about.

-- +goose Up
create table activities (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  type text not null, subject text not null, body text, due_at timestamptz, duration_minutes bigint, done_at timestamptz, priority text, outcome text, related jsonb, attendees jsonb,
  constraint activities_type_check check (type in ('task', 'call', 'meeting', 'email', 'note')),
  constraint activities_pkey primary key (tenant_id, id),
  constraint activities_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint activities_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table activities is 'Tasks, calls, meetings, e-mails and notes.';
create unique index activities_external_id_key on activities (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index activities_created_at_idx on activities (tenant_id, created_at desc, id desc);
create index activities_owner_id_idx on activities (tenant_id, owner_id, created_at desc, id desc);
create index activities_due_at_idx on activities (tenant_id, owner_id, due_at, id) where done_at is null and deleted_at is null;
select app_protect_tenant_table('activities');

create table activity_links (
  tenant_id   uuid not null,
  activity_id uuid not null,
  object      text not null,
  record_id   uuid not null,
  constraint activity_links_pkey primary key (tenant_id, record_id, activity_id),
  constraint activity_links_activity_id_fkey foreign key (tenant_id, activity_id) references activities (tenant_id, id)
);
comment on table activity_links is 'Which records an activity is about; kept in step with activities.related.';
create index activity_links_activity_id_idx on activity_links (tenant_id, activity_id);
select app_protect_tenant_table('activity_links');

-- +goose Down
drop table activity_links;
drop table activities;
