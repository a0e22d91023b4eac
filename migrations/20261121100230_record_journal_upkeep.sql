-- What an operator asks of the journal: how far its readers are behind, and whether its partitions are in order.

-- +goose Up

-- Counted up to 5,000 rows a tenant, so that a scrape stays cheap. It looks over all tenants, hence definer; it tells sums.
-- +goose StatementBegin
create function journal_lags(names text[]) returns table (name text, behind bigint, seconds double precision, dead bigint)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select n.name, coalesce(max(l.behind), 0), coalesce(max(extract(epoch from now() - l.oldest)), 0)::double precision,
    (select count(*) from journal_dead_letters d where d.subscriber = n.name)
  from unnest(names) n(name)
  left join tenants t on t.state = 'active'
  left join journal_subscribers s on s.tenant_id = t.id and s.name = n.name
  left join lateral (
    select count(*) as behind, min(w.at) as oldest from (
      select j.at from journal j where j.tenant_id = t.id and j.seq > coalesce(s.after_seq, 0) order by j.seq limit 5000
    ) w
  ) l on true
  group by n.name
$$;
-- +goose StatementEnd
revoke all on function journal_lags(text[]) from public;
grant execute on function journal_lags(text[]) to crm_app;

-- +goose StatementBegin
create function journal_partitions() returns table (stray boolean, months_ahead int)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select exists (select from journal_default),
    (select count(*)::int from generate_series(1, 120) m
     where to_regclass('journal_' || to_char(date_trunc('month', now() at time zone 'utc') + make_interval(months => m), 'YYYYMM')) is not null)
$$;
-- +goose StatementEnd
revoke all on function journal_partitions() from public;
grant execute on function journal_partitions() to crm_app;

-- Rows that came when their month had no partition yet move into it; before, one such row kept the partition from being made.
-- +goose StatementBegin
create or replace function journal_add_partitions(months int) returns int
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  first date;
  low timestamptz;
  high timestamptz;
  name text;
  made int := 0;
begin
  for i in 0 .. least(months, 36) loop
    first := (date_trunc('month', now() at time zone 'utc') + make_interval(months => i))::date;
    low := first::timestamp at time zone 'utc';
    high := (first + interval '1 month') at time zone 'utc';
    name := 'journal_' || to_char(first, 'YYYYMM');
    continue when to_regclass(name) is not null;
    execute format('create table %I (like journal including defaults including constraints)', name);
    perform app_isolate_tenants(name::regclass);
    if exists (select from journal_default where at >= low and at < high) then
      execute format('with moved as (delete from journal_default where at >= %L and at < %L returning *) insert into %I select * from moved', low, high, name);
    end if;
    execute format('alter table journal attach partition %I for values from (%L) to (%L)', name, low, high);
    made := made + 1;
  end loop;
  return made;
end $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
create or replace function journal_add_partitions(months int) returns int
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  first date;
  name text;
  made int := 0;
begin
  for i in 0 .. least(months, 36) loop
    first := (date_trunc('month', now() at time zone 'utc') + make_interval(months => i))::date;
    name := 'journal_' || to_char(first, 'YYYYMM');
    if to_regclass(name) is null then
      execute format('create table %I partition of journal for values from (%L) to (%L)', name, first::timestamp at time zone 'utc', (first + interval '1 month') at time zone 'utc');
      perform app_isolate_tenants(name::regclass);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
-- +goose StatementEnd
drop function journal_partitions();
drop function journal_lags(text[]);
