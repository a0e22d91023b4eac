-- All of these see what the actor may see: "everyone", "own" or "team" is true and says how far that is. A null list of
-- ids means no filter. Plans are made per call, so that constants fold away: what is left of the predicate is one plain
-- comparison, which an index can serve.

-- name: BoardTotals :many
select d.stage_id, coalesce(d.amount_currency, '') as currency, count(*) as deals,
  coalesce(sum(d.amount), 0)::bigint as amount, coalesce(sum(d.weighted_amount), 0)::bigint as weighted
from deals d
where d.tenant_id = @tenant_id and d.stage_id = any(@stages::uuid[]) and d.deleted_at is null
  and (@everyone::boolean or (@own::boolean and d.owner_id = @me::uuid)
    or (@team::boolean and (d.owner_id = any(@owners::uuid[]) or d.team_id = any(@teams::uuid[]))))
  and (sqlc.narg(ids)::uuid[] is null or d.id in (select unnest(sqlc.narg(ids)::uuid[])))
group by d.stage_id, d.amount_currency;

-- name: BoardCards :many
-- The first cards of each stage, in the order of the board.
select s.id::uuid as stage_id, c.id
from unnest(@stages::uuid[]) with ordinality as s(id, n)
cross join lateral (
  select d.id, d.position from deals d
  where d.tenant_id = @tenant_id and d.stage_id = s.id and d.deleted_at is null
    and (@everyone::boolean or (@own::boolean and d.owner_id = @me::uuid)
    or (@team::boolean and (d.owner_id = any(@owners::uuid[]) or d.team_id = any(@teams::uuid[]))))
  order by d.position, d.id limit @amount
) c
order by s.n, c.position, c.id;

-- name: Forecast :many
-- Won deals count when they closed, open ones when they are expected to, lost and omitted ones do not count. Year 1
-- stands for "no date", the zero id for "nobody" and for no grouping. Days are summed up first: there are few of them,
-- and working out the period of a day costs more than adding a row.
with daily as (
  select case when d.status = 'won' then (d.closed_at at time zone 'utc')::date else d.expected_close_date end as day,
    case @grouping::text when 'owner' then d.owner_id when 'stage' then d.stage_id end as key,
    d.amount_currency as currency, d.forecast_category as category,
    count(*) as deals, sum(d.amount)::bigint as amount, sum(d.weighted_amount)::bigint as weighted
  from deals d
  where d.tenant_id = @tenant_id and d.stage_id = any(@stages::uuid[]) and d.deleted_at is null
    and d.status <> 'lost' and d.forecast_category <> 'omitted'
    and (sqlc.narg(since)::timestamptz is null or case when d.status = 'won' then (d.closed_at at time zone 'utc')::date else d.expected_close_date end >= (sqlc.narg(since)::timestamptz at time zone 'utc')::date)
    and (sqlc.narg(until)::timestamptz is null or case when d.status = 'won' then (d.closed_at at time zone 'utc')::date else d.expected_close_date end < (sqlc.narg(until)::timestamptz at time zone 'utc')::date)
    and (@everyone::boolean or (@own::boolean and d.owner_id = @me::uuid)
    or (@team::boolean and (d.owner_id = any(@owners::uuid[]) or d.team_id = any(@teams::uuid[]))))
    and (sqlc.narg(ids)::uuid[] is null or d.id in (select unnest(sqlc.narg(ids)::uuid[])))
  group by 1, 2, 3, 4
)
select
  (coalesce(date_trunc(@period::text, y.day::timestamp), '0001-01-01') at time zone 'utc')::timestamptz as start,
  coalesce(y.key, '00000000-0000-0000-0000-000000000000')::uuid as key,
  coalesce(y.currency, '') as currency, sum(y.deals)::bigint as deals,
  coalesce(sum(y.amount) filter (where y.category = 'closed'), 0)::bigint as closed,
  coalesce(sum(y.amount) filter (where y.category = 'commit'), 0)::bigint as commit,
  coalesce(sum(y.amount) filter (where y.category = 'best_case'), 0)::bigint as best_case,
  coalesce(sum(y.amount) filter (where y.category = 'pipeline'), 0)::bigint as pipeline,
  coalesce(sum(y.weighted), 0)::bigint as weighted
from daily y
group by 1, 2, 3
order by 1, 2, 3;
