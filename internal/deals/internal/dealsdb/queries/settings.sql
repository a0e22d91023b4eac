-- Pipelines and stages are read whole: a tenant has a handful, and the rules need them all.

-- name: Pipelines :many
-- The default pipeline comes first, deleted ones are kept for the deals still in them.
select id, name, currency, position, is_default, version, deleted_at
from pipelines
where tenant_id = @tenant_id
order by deleted_at is not null, is_default desc, position, created_at, id;

-- name: Stages :many
select id, pipeline_id, name, kind, position, probability, stale_days, version, deleted_at
from stages
where tenant_id = @tenant_id
order by pipeline_id, position, id;

-- name: StagesInUse :many
select s.id::uuid as id
from unnest(@ids::uuid[]) as s(id)
where exists (select 1 from deals d where d.tenant_id = @tenant_id and d.stage_id = s.id and d.deleted_at is null);

-- name: PipelinesInUse :many
select p.id::uuid as id
from unnest(@ids::uuid[]) as p(id)
where exists (select 1 from deals d where d.tenant_id = @tenant_id and d.pipeline_id = p.id and d.deleted_at is null);

-- name: Lock :exec
-- An advisory lock is no row, its name holds the tenant.
-- @sqlc-vet-disable tenant-scoped
select pg_advisory_xact_lock(hashtextextended(@name::text, 0));
