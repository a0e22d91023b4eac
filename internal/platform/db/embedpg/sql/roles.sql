-- Runs as superuser at every start of the embedded cluster; must be repeatable.
-- Another server than the embedded one needs the same roles: an administrator can run this file there by hand.
do $$
begin
  if not exists (select from pg_roles where rolname = 'crm_owner') then
    create role crm_owner login;
  end if;
  -- Not yet allowed to log in: that comes last of all, so a login as crm_app proves a complete bootstrap.
  if not exists (select from pg_roles where rolname = 'crm_app') then
    create role crm_app nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'crm_search') then
    create role crm_search nologin;
  end if;
end
$$;

-- Attributes are set anew each time, so that nobody's experiment outlives a restart.
alter role crm_owner login nosuperuser nobypassrls nocreatedb nocreaterole noreplication;
alter role crm_app nosuperuser nobypassrls nocreatedb nocreaterole noreplication;
-- Owns the few search functions that must look past row level security and ask app_tenant() themselves.
alter role crm_search nologin nosuperuser bypassrls nocreatedb nocreaterole noreplication;

-- Migrations run as crm_owner and hand functions over to crm_search. The application must reach neither.
grant crm_search to crm_owner;
do $$
declare
  r record;
begin
  for r in
    select g.rolname
    from pg_auth_members m
    join pg_roles g on g.oid = m.roleid
    join pg_roles a on a.oid = m.member
    where a.rolname = 'crm_app'
  loop
    execute format('revoke %I from crm_app', r.rolname);
  end loop;
end
$$;
