-- The ground every other migration stands on: who the current tenant is, and how a table is closed to all others.

-- +goose Up

-- Nothing is public. What crm_owner creates from here on may be executed by the two roles of the program; tables are
-- granted one by one, by the functions below or by hand.
alter default privileges revoke execute on functions from public;
alter default privileges grant execute on functions to crm_app, crm_search;

-- The tenant of the running transaction, null when none is set. A setting that was set and reset reads as '', hence
-- nullif. No "set search_path": it would keep the planner from inlining the function into every policy.
create function app_tenant() returns uuid
  language sql
  stable
  parallel safe
  return nullif(current_setting('app.tenant_id', true), '')::uuid;

comment on function app_tenant() is 'tenant of this transaction, null = none and therefore no rows';

-- +goose StatementBegin
create function app_isolate_tenants(target regclass) returns void
  language plpgsql
  set search_path = pg_catalog, public
as $$
begin
  execute format('alter table %s enable row level security', target);
  -- force: the owner is bound too, and gets in by a policy one can see rather than by an exemption one forgets.
  execute format('alter table %s force row level security', target);
  execute format('drop policy if exists tenant_isolation on %s', target);
  execute format('drop policy if exists owner_all on %s', target);
  execute format(
    'create policy tenant_isolation on %s to crm_app '
    'using (tenant_id = public.app_tenant()) with check (tenant_id = public.app_tenant())', target);
  -- Without this a backfill in a migration would update no rows, silently.
  execute format('create policy owner_all on %s to crm_owner using (true) with check (true)', target);
  execute format('revoke all on %s from public, crm_app', target);
end
$$;
-- +goose StatementEnd

comment on function app_isolate_tenants(regclass) is 'row level security by tenant_id, and no grants; see the two callers';

-- +goose StatementBegin
create function app_protect_tenant_table(target regclass) returns void
  language plpgsql
  set search_path = pg_catalog, public
as $$
begin
  perform public.app_isolate_tenants(target);
  execute format('grant select, insert, update, delete on %s to crm_app', target);
end
$$;
-- +goose StatementEnd

comment on function app_protect_tenant_table(regclass) is 'closes a tenant table to other tenants; repeatable';

-- +goose StatementBegin
create function app_append_only(target regclass) returns void
  language plpgsql
  set search_path = pg_catalog, public
as $$
begin
  perform public.app_isolate_tenants(target);
  execute format('grant select, insert on %s to crm_app', target);
end
$$;
-- +goose StatementEnd

comment on function app_append_only(regclass) is 'like app_protect_tenant_table, but crm_app can neither change nor delete rows';

-- For migrations only.
revoke execute on function app_isolate_tenants(regclass) from crm_app, crm_search;
revoke execute on function app_protect_tenant_table(regclass) from crm_app, crm_search;
revoke execute on function app_append_only(regclass) from crm_app, crm_search;

-- +goose Down

drop function app_append_only(regclass);
drop function app_protect_tenant_table(regclass);
drop function app_isolate_tenants(regclass);
drop function app_tenant();

alter default privileges revoke execute on functions from crm_app, crm_search;
alter default privileges grant execute on functions to public;
