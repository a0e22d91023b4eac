-- Both totals run over every row the actor may see. "everyone" switches the visibility predicate off, a null list of ids
-- means no filter. Plans are made per call, so that constants fold away and an unused predicate costs nothing.

-- name: BoardTotals :many
select d.stage_id, coalesce(d.amount_currency, '') as currency, count(*) as deals,
  coalesce(sum(d.amount), 0)::bigint as amount, coalesce(sum(d.weighted_amount), 0)::bigint as weighted
from deals d
where d.tenant_id = @tenant_id and d.stage_id = any(@stages::uuid[]) and d.deleted_at is null
  and (@everyone::boolean or d.owner_id = any(@owners::uuid[]) or d.team_id = any(@teams::uuid[]))
  and (sqlc.narg(ids)::uuid[] is null or d.id = any(sqlc.narg(ids)::uuid[]))
group by d.stage_id, d.amount_currency;

-- name: BoardCards :many
-- The first cards of each stage, in the order of the board.
select s.id::uuid as stage_id, c.id
from unnest(@stages::uuid[]) with ordinality as s(id, n)
cross join lateral (
  select d.id, d.position from deals d
  where d.tenant_id = @tenant_id and d.stage_id = s.id and d.deleted_at is null
    and (@everyone::boolean or d.owner_id = any(@owners::uuid[]) or d.team_id = any(@teams::uuid[]))
    and (sqlc.narg(ids)::uuid[] is null or d.id = any(sqlc.narg(ids)::uuid[]))
  order by d.position, d.id limit @amount
) c
order by s.n, c.position, c.id;

-- name: Forecast :many
-- Won deals count when they closed, open ones when they are expected to, lost and omitted ones do not count. Year 1
-- stands for "no date", the zero id for "nobody" and for no grouping.
select
  (coalesce(date_trunc(@period::text, case when d.status = 'won' then d.closed_at at time zone 'utc' else d.expected_close_date::timestamp end),
    '0001-01-01') at time zone 'utc')::timestamptz as start,
  coalesce(case @grouping::text when 'owner' then d.owner_id when 'stage' then d.stage_id end, '00000000-0000-0000-0000-000000000000')::uuid as key,
  coalesce(d.amount_currency, '') as currency, count(*) as deals,
  coalesce(sum(d.amount) filter (where d.status = 'won'), 0)::bigint as closed,
  coalesce(sum(d.amount) filter (where d.status = 'open' and d.forecast_category = 'commit'), 0)::bigint as commit,
  coalesce(sum(d.amount) filter (where d.status = 'open' and d.forecast_category = 'best_case'), 0)::bigint as best_case,
  coalesce(sum(d.amount) filter (where d.status = 'open' and d.forecast_category = 'pipeline'), 0)::bigint as pipeline,
  coalesce(sum(d.weighted_amount), 0)::bigint as weighted
from deals d
where d.tenant_id = @tenant_id and d.stage_id = any(@stages::uuid[]) and d.deleted_at is null
  and d.status <> 'lost' and d.forecast_category is distinct from 'omitted'
  and (sqlc.narg(since)::timestamptz is null or case when d.status = 'won' then d.closed_at else d.expected_close_date::timestamp at time zone 'utc' end >= sqlc.narg(since)::timestamptz)
  and (sqlc.narg(until)::timestamptz is null or case when d.status = 'won' then d.closed_at else d.expected_close_date::timestamp at time zone 'utc' end < sqlc.narg(until)::timestamptz)
  and (@everyone::boolean or d.owner_id = any(@owners::uuid[]) or d.team_id = any(@teams::uuid[]))
  and (sqlc.narg(ids)::uuid[] is null or d.id = any(sqlc.narg(ids)::uuid[]))
group by 1, 2, 3
order by 1, 2, 3;
