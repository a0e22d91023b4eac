-- Sessions with limits of the tenant's own, and guessing that waits longer each time instead of locking people out.

-- +goose Up
create table sign_in_settings (
  tenant_id        uuid not null,
  idle_minutes     int not null default 20160,
  absolute_minutes int not null default 86400,
  mfa              text not null default 'optional',
  mfa_roles        uuid[] not null default '{}',
  passwords_off    boolean not null default false,
  updated_at       timestamptz not null,
  constraint sign_in_settings_pkey primary key (tenant_id),
  constraint sign_in_settings_idle_minutes_check check (idle_minutes between 5 and 129600),
  constraint sign_in_settings_absolute_minutes_check check (absolute_minutes between 30 and 525600),
  constraint sign_in_settings_mfa_check check (mfa in ('optional', 'roles', 'all'))
);
comment on table sign_in_settings is 'How people of a tenant sign in; no row = the defaults of the columns.';
select app_protect_tenant_table('sign_in_settings');

alter table sessions add column method text not null default 'password', add column verified_at timestamptz;
comment on column sessions.verified_at is 'when the person last proved who they are, null = at sign-in';
create index sessions_user_id_idx on sessions (tenant_id, user_id);

-- The limits come with the session, so that a tenant's new ones hold for sessions that are open already.
drop function auth_session(bytea);
-- +goose StatementBegin
create function auth_session(hash bytea) returns table (tenant_id uuid, session_id uuid, user_id uuid, created_at timestamptz, expires_at timestamptz,
  seen_at timestamptz, idle_minutes int, absolute_minutes int)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select s.tenant_id, s.id, s.user_id, s.created_at, s.expires_at, s.seen_at, coalesce(w.idle_minutes, 20160), coalesce(w.absolute_minutes, 86400)
  from sessions s join tenants t on t.id = s.tenant_id left join sign_in_settings w on w.tenant_id = s.tenant_id
  where s.token_hash = hash and t.state = 'active'
$$;
-- +goose StatementEnd

-- Tries are counted by what was tried, known or not, so that waiting tells nothing about who has an account. The
-- key is a hash; no role of the program reads the table.
create table sign_in_tries (
  key           bytea not null,
  tries         int not null,
  last_at       timestamptz not null,
  waiting_until timestamptz not null,
  constraint sign_in_tries_pkey primary key (key)
);
comment on table sign_in_tries is 'Unfinished sign-ins by address or device; sign_in_try counts one more.';
create index sign_in_tries_last_at_idx on sign_in_tries (last_at);
alter table sign_in_tries enable row level security;
alter table sign_in_tries force row level security;
create policy owner_all on sign_in_tries to crm_owner using (true) with check (true);
revoke all on sign_in_tries from public, crm_app;

-- One more try, counted before anything is compared: fifty at once are fifty. The first five are free, then the wait
-- doubles from half a minute to a quarter of an hour. A day of quiet forgets. Returned: the try that this is and null,
-- or how long to wait still.
-- +goose StatementBegin
create function sign_in_try(wanted bytea, moment timestamptz) returns table (nth int, wait_until timestamptz)
  language plpgsql volatile security definer set search_path = public, pg_temp
as $$
begin
  delete from sign_in_tries t where t.key in (select o.key from sign_in_tries o where o.last_at < moment - interval '2 days' order by o.last_at limit 20 for update skip locked);
  return query
    insert into sign_in_tries as t (key, tries, last_at, waiting_until) values (wanted, 1, moment, moment)
    on conflict on constraint sign_in_tries_pkey do update set
      tries = case when t.last_at < moment - interval '1 day' then 1 else t.tries + 1 end,
      last_at = moment,
      waiting_until = case when t.last_at < moment - interval '1 day' or t.tries + 1 < 5 then moment
        else moment + least(interval '15 minutes', interval '30 seconds' * power(2, least(t.tries + 1 - 5, 10))) end
    where t.waiting_until <= moment
    returning t.tries, null::timestamptz;
  if not found then
    return query select t.tries, t.waiting_until from sign_in_tries t where t.key = wanted;
  end if;
end
$$;
create function sign_in_waits(wanted bytea[], moment timestamptz) returns table (tries int, wait_until timestamptz)
  language sql stable security definer set search_path = public, pg_temp
as $$ select coalesce(max(t.tries), 0), max(t.waiting_until) filter (where t.waiting_until > moment) from sign_in_tries t where t.key = any(wanted) $$;
create function sign_in_forgive(wanted bytea[]) returns void
  language sql volatile security definer set search_path = public, pg_temp
as $$ delete from sign_in_tries t where t.key = any(wanted) $$;
-- +goose StatementEnd
revoke all on function auth_session(bytea), sign_in_try(bytea, timestamptz), sign_in_waits(bytea[], timestamptz), sign_in_forgive(bytea[]) from public;
revoke all on function sign_in_try(bytea, timestamptz), sign_in_waits(bytea[], timestamptz), sign_in_forgive(bytea[]) from crm_search;
grant execute on function auth_session(bytea), sign_in_try(bytea, timestamptz), sign_in_waits(bytea[], timestamptz), sign_in_forgive(bytea[]) to crm_app;

-- +goose Down
drop function sign_in_forgive(bytea[]);
drop function sign_in_waits(bytea[], timestamptz);
drop function sign_in_try(bytea, timestamptz);
drop table sign_in_tries;
drop function auth_session(bytea);
-- +goose StatementBegin
create function auth_session(hash bytea) returns table (tenant_id uuid, session_id uuid, user_id uuid, expires_at timestamptz, seen_at timestamptz)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select s.tenant_id, s.id, s.user_id, s.expires_at, s.seen_at from sessions s join tenants t on t.id = s.tenant_id
  where s.token_hash = hash and t.state = 'active'
$$;
-- +goose StatementEnd
revoke all on function auth_session(bytea) from public;
grant execute on function auth_session(bytea) to crm_app;
drop index sessions_user_id_idx;
alter table sessions drop column method, drop column verified_at;
drop table sign_in_settings;
