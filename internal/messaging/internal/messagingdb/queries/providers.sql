-- name: Providers :many
select * from providers
where tenant_id = @tenant_id and deleted_at is null
order by channel, priority, created_at, id;

-- name: Routes :many
-- Where a message of this channel may leave, in the order of preference.
select * from providers
where tenant_id = @tenant_id and channel = @channel and deleted_at is null and state = 'active'
order by priority, created_at, id;

-- name: Provider :one
select * from providers
where tenant_id = @tenant_id and id = @id and deleted_at is null;

-- name: LockProvider :one
select * from providers
where tenant_id = @tenant_id and id = @id and deleted_at is null
for update;

-- name: UsedProvider :one
-- Also one that was deleted since: a message may still be on its way through it.
select * from providers
where tenant_id = @tenant_id and id = @id;

-- name: InsertProvider :exec
insert into providers (tenant_id, id, name, channel, type, priority, settings, sealed, state, created_at, created_by, updated_at, updated_by)
values (@tenant_id, @id, @name, @channel, @type, @priority, @settings, @sealed, @state, @created_at, @created_by, @created_at, @created_by);

-- name: UpdateProvider :exec
update providers
set name = @name, priority = @priority, settings = @settings, sealed = @sealed, state = @state, last_error = @last_error,
  updated_at = @updated_at, updated_by = @updated_by, version = version + 1
where tenant_id = @tenant_id and id = @id;

-- name: SetProviderState :execrows
-- Only when it changes something, and only from a state the product may leave by itself.
update providers
set state = @state, last_error = @last_error, checked_at = @checked_at
where tenant_id = @tenant_id and id = @id and deleted_at is null and state <> 'disabled' and version = @version
  and (state <> @state or last_error <> @last_error);

-- name: NoteCheck :exec
update providers set checked_at = @checked_at, last_error = @last_error
where tenant_id = @tenant_id and id = @id;

-- name: DeleteProvider :exec
update providers
set deleted_at = @deleted_at, sealed = null, updated_at = @deleted_at, updated_by = @updated_by, version = version + 1
where tenant_id = @tenant_id and id = @id;
