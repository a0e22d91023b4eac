-- name: TopPositions :many
-- The uppermost card of each stage, empty stages are left out.
select s.id::uuid as stage_id, top.position
from unnest(@stages::uuid[]) as s(id)
cross join lateral (
  select d.position from deals d
  where d.tenant_id = @tenant_id and d.stage_id = s.id and d.deleted_at is null
  order by d.position, d.id limit 1
) top;

-- name: CardsAbove :many
-- Cards above a place, nearest first, without the one that moves.
select d.id, d.position
from deals d
where d.tenant_id = @tenant_id and d.stage_id = @stage_id and d.deleted_at is null and d.id <> @moving
  and (d.position, d.id) < (@position::double precision, @id::uuid)
order by d.position desc, d.id desc
limit @amount;

-- name: CardsBelow :many
-- Cards below a place, nearest first, without the one that moves.
select d.id, d.position
from deals d
where d.tenant_id = @tenant_id and d.stage_id = @stage_id and d.deleted_at is null and d.id <> @moving
  and (d.position, d.id) > (@position::double precision, @id::uuid)
order by d.position, d.id
limit @amount;

-- name: SetPositions :exec
update deals d set position = u.position
from (select unnest(@ids::uuid[]) as id, unnest(@positions::double precision[]) as position) u
where d.tenant_id = @tenant_id and d.id = u.id;

-- name: SetNextActivity :exec
-- Rows are locked in the order of their ids, so that two of these cannot lock each other out.
with wanted as (
  select unnest(@ids::uuid[]) as id, unnest(@times::timestamptz[]) as at
), locked as (
  select d.id, w.at from deals d join wanted w on w.id = d.id
  where d.tenant_id = @tenant_id and d.next_activity_at is distinct from w.at
  order by d.id for no key update of d
)
update deals d set next_activity_at = l.at
from locked l
where d.tenant_id = @tenant_id and d.id = l.id;

-- name: ClearNextActivity :exec
with locked as (
  select d.id from deals d
  where d.tenant_id = @tenant_id and d.id = any(@ids::uuid[]) and d.next_activity_at is not null
  order by d.id for no key update
)
update deals d set next_activity_at = null
from locked l
where d.tenant_id = @tenant_id and d.id = l.id;
