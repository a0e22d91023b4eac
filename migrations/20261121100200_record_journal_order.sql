-- The journal's horizon: below it nothing can turn up any more.
--
-- Numbers are drawn before their transaction commits, so a row may become visible after one with a higher number: whoever
-- remembers only "I have read up to 11" would never see the 10 that commits a moment later. Therefore each transaction that
-- writes to the journal shows, as a shared advisory lock, the lowest number it can have drawn. The horizon is the lowest of
-- those that are still running; readers by number stop there. Shared locks never wait for each other.

-- +goose Up
grant select on sequence journal_seq to crm_app;

-- Fires once per statement, before the first row draws its number. The setting keeps it to one lock per transaction; a
-- savepoint that is rolled back takes both back.
-- +goose StatementBegin
create function journal_hold() returns trigger
  language plpgsql set search_path = pg_catalog, public
as $$
declare
  next_seq bigint;
begin
  if coalesce(current_setting('app.journal_hold', true), '') = '' then
    select last_value + is_called::int into next_seq from public.journal_seq;
    perform pg_advisory_xact_lock_shared(1246907980, (next_seq & 2147483647)::int); -- 'JRNL'
    perform set_config('app.journal_hold', 'on', true);
  end if;
  return null;
end $$;
-- +goose StatementEnd
create trigger journal_hold before insert on journal for each statement execute function journal_hold();

-- All rows with a lower number are visible to every statement that begins after this function returned. So it must be a
-- statement of its own, at read committed. The order of its three looks matters: numbers drawn before the first belong to
-- transactions that held their lock before the second, and the third is above every number a lock can show (locks carry 31
-- bits, the rest is found again by it).
-- +goose StatementBegin
create function journal_horizon() returns bigint
  language plpgsql volatile set search_path = pg_catalog, public
as $$
declare
  low bigint;
  high bigint;
  held bigint[];
begin
  select last_value + is_called::int into low from public.journal_seq;
  select array_agg(l.objid::bigint) into held from pg_locks l
    where l.locktype = 'advisory' and l.classid = 1246907980 and l.objsubid = 2
      and l.database = (select d.oid from pg_database d where d.datname = current_database());
  select last_value + is_called::int into high from public.journal_seq;
  return least(low, (select min(high - ((high - h) & 2147483647)) from unnest(held) h));
end $$;
-- +goose StatementEnd
comment on function journal_horizon() is 'Journal rows with a lower seq are all committed or never will be; call it as a statement of its own.';

-- +goose Down
drop function journal_horizon();
drop trigger journal_hold on journal;
drop function journal_hold();
revoke select on sequence journal_seq from crm_app;
