-- Tenants, people, teams, roles, sessions and keys.

-- +goose Up
create table tenants (
  id         uuid not null,
  slug       text not null,
  name       text not null,
  state      text not null default 'active',
  currency   text not null default 'USD',
  time_zone  text not null default 'UTC',
  demo       boolean not null default false,
  created_at timestamptz not null,
  constraint tenants_pkey primary key (id),
  constraint tenants_slug_key unique (slug),
  constraint tenants_slug_check check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  constraint tenants_state_check check (state in ('active', 'suspended', 'deleted'))
);
comment on table tenants is 'The registry of tenants; the one table without a tenant of its own. A request only sees its own row.';
alter table tenants enable row level security;
alter table tenants force row level security;
create policy own_tenant on tenants to crm_app using (id = app_tenant()) with check (id = app_tenant());
create policy owner_all on tenants to crm_owner using (true) with check (true);
grant select, insert, update on tenants to crm_app;

create table roles (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  key text not null, name text not null, description text, built_in boolean not null default false, grants jsonb,
  constraint roles_pkey primary key (tenant_id, id)
);
comment on table roles is 'What a role may do: grants map object:action to none, own, team or all.';
create unique index roles_key_key on roles (tenant_id, key) where deleted_at is null;
create unique index roles_external_id_key on roles (tenant_id, external_id) where deleted_at is null and external_id is not null;
select app_protect_tenant_table('roles');

create table teams (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, parent_id uuid,
  constraint teams_pkey primary key (tenant_id, id),
  constraint teams_parent_id_fkey foreign key (tenant_id, parent_id) references teams (tenant_id, id)
);
comment on table teams is 'Groups of users; a manager sees the records of the whole team.';
create unique index teams_name_key on teams (tenant_id, name) where deleted_at is null;
create unique index teams_external_id_key on teams (tenant_id, external_id) where deleted_at is null and external_id is not null;
select app_protect_tenant_table('teams');

create table users (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, email text, role_id uuid not null, manager_id uuid, state text not null default 'active', time_zone text, language text, theme text,
  constraint users_pkey primary key (tenant_id, id),
  constraint users_role_id_fkey foreign key (tenant_id, role_id) references roles (tenant_id, id),
  constraint users_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id),
  constraint users_manager_id_fkey foreign key (tenant_id, manager_id) references users (tenant_id, id),
  constraint users_state_check check (state in ('active', 'invited', 'disabled'))
);
comment on table users is 'People who sign in to a tenant; their secrets are in user_credentials.';
create unique index users_email_key on users (tenant_id, email) where deleted_at is null and email is not null;
create unique index users_external_id_key on users (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index users_team_id_idx on users (tenant_id, team_id);
select app_protect_tenant_table('users');

alter table roles add constraint roles_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id);
alter table roles add constraint roles_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id);
alter table teams add constraint teams_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id);
alter table teams add constraint teams_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id);
alter table users add constraint users_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id);

create table user_credentials (
  tenant_id     uuid not null,
  user_id       uuid not null,
  password_hash text not null,
  failures      int not null default 0,
  locked_until  timestamptz,
  changed_at    timestamptz not null,
  constraint user_credentials_pkey primary key (tenant_id, user_id),
  constraint user_credentials_user_id_fkey foreign key (tenant_id, user_id) references users (tenant_id, id)
);
comment on table user_credentials is 'Argon2id hashes; never selected by anything but sign-in.';
select app_protect_tenant_table('user_credentials');

create table sessions (
  tenant_id  uuid not null,
  id         uuid not null,
  user_id    uuid not null,
  token_hash bytea not null,
  created_at timestamptz not null,
  seen_at    timestamptz not null,
  expires_at timestamptz not null,
  address    text not null default '',
  user_agent text not null default '',
  constraint sessions_pkey primary key (tenant_id, id),
  constraint sessions_token_hash_key unique (token_hash),
  constraint sessions_user_id_fkey foreign key (tenant_id, user_id) references users (tenant_id, id)
);
comment on table sessions is 'Signed-in browsers; the cookie holds the token, the table only its hash.';
select app_protect_tenant_table('sessions');

create table api_keys (
  tenant_id  uuid not null,
  id         uuid not null,
  name       text not null,
  role_id    uuid not null,
  token_hash bytea not null,
  prefix     text not null,
  created_at timestamptz not null,
  created_by uuid,
  last_used_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  constraint api_keys_pkey primary key (tenant_id, id),
  constraint api_keys_token_hash_key unique (token_hash),
  constraint api_keys_role_id_fkey foreign key (tenant_id, role_id) references roles (tenant_id, id)
);
comment on table api_keys is 'Keys for programs, shown once and kept as hashes.';
select app_protect_tenant_table('api_keys');

-- Signing in happens before a tenant is known. These functions run as the owner
-- and answer exactly one question each, by a secret or an address the caller
-- must already have.
-- +goose StatementBegin
create function auth_session(hash bytea) returns table (tenant_id uuid, session_id uuid, user_id uuid, expires_at timestamptz, seen_at timestamptz)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select s.tenant_id, s.id, s.user_id, s.expires_at, s.seen_at from sessions s join tenants t on t.id = s.tenant_id
  where s.token_hash = hash and t.state = 'active'
$$;
create function auth_api_key(hash bytea) returns table (tenant_id uuid, key_id uuid, name text, role_id uuid, expires_at timestamptz)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select k.tenant_id, k.id, k.name, k.role_id, k.expires_at from api_keys k join tenants t on t.id = k.tenant_id
  where k.token_hash = hash and k.revoked_at is null and t.state = 'active'
$$;
create function auth_user(address text) returns table (tenant_id uuid, slug text, user_id uuid, password_hash text, locked_until timestamptz, state text)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select u.tenant_id, t.slug, u.id, c.password_hash, c.locked_until, u.state
  from users u join tenants t on t.id = u.tenant_id join user_credentials c on c.tenant_id = u.tenant_id and c.user_id = u.id
  where u.email = lower(address) and u.deleted_at is null and t.state = 'active' order by t.created_at
$$;
create function tenant_by_slug(wanted text) returns table (id uuid, name text, currency text, time_zone text)
  language sql stable security definer set search_path = public, pg_temp
as $$ select t.id, t.name, t.currency, t.time_zone from tenants t where t.slug = wanted and t.state = 'active' $$;
create function tenant_ids() returns table (id uuid)
  language sql stable security definer set search_path = public, pg_temp
as $$ select t.id from tenants t where t.state = 'active' order by t.created_at $$;
-- +goose StatementEnd
create index users_sign_in_idx on users (email) where deleted_at is null;
revoke all on function auth_session(bytea), auth_api_key(bytea), auth_user(text), tenant_by_slug(text), tenant_ids() from public;
grant execute on function auth_session(bytea), auth_api_key(bytea), auth_user(text), tenant_by_slug(text), tenant_ids() to crm_app;

-- +goose Down
drop function tenant_ids();
drop function tenant_by_slug(text);
drop function auth_user(text);
drop function auth_api_key(bytea);
drop function auth_session(bytea);
drop table api_keys;
drop table sessions;
drop table user_credentials;
alter table roles drop constraint roles_owner_id_fkey, drop constraint roles_team_id_fkey;
alter table teams drop constraint teams_owner_id_fkey;
drop table users;
drop table teams;
drop table roles;
drop table tenants;
