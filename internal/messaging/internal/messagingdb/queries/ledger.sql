-- The ledger columns of messages. Each statement is one step of the send path; see doc.go of package messaging.

-- name: LockMessage :one
-- Locks the row and says at the same moment whether its address is suppressed.
select m.id, m.channel, m.class, m.status, m.to_address, m.contact_id, m.subject, m.body_html, m.body_text, m.attempts,
  m.message_id, m.next_attempt_at, m.dispatched_at, m.deleted_at, m.strikes, m.provider_id, m.claimed_at, m.claimed_by,
  coalesce(m.due_since, m.send_at, m.created_at)::timestamptz as due_since,
  coalesce(m.send_key, m.id)::uuid as send_key,
  coalesce((select s.reason from suppressions s
    where s.tenant_id = m.tenant_id and s.address = m.to_address and s.channel = m.channel and s.deleted_at is null), '')::text as suppressed
from messages m
where m.tenant_id = @tenant_id and m.id = @id
for update of m;

-- name: Claim :one
-- The message is ours from here on; the attempt stands in the ledger before a byte leaves.
with claimed as (
  update messages m
  set status = 'sending', attempts = m.attempts + 1, provider_id = @provider_id::uuid, message_id = coalesce(m.message_id, @new_message_id::text),
    claimed_at = @at::timestamptz, claimed_by = @worker::uuid, next_attempt_at = null, dispatched_at = null
  where m.tenant_id = @tenant_id and m.id = @id
  returning m.tenant_id, m.id, m.attempts, m.message_id as header_id
), noted as (
  insert into message_attempts (tenant_id, message_id, number, provider_id, worker, at)
  select c.tenant_id, c.id, c.attempts, @provider_id::uuid, @worker::uuid, @at::timestamptz from claimed c
)
select c.attempts, coalesce(c.header_id, '')::text as message_id from claimed c;

-- name: FinishAttempt :exec
-- Ends the attempt and lets go of the message. dispatched_at is cleared, so that the dispatcher sees a next attempt.
with finished as (
  update message_attempts a
  set finished_at = @at::timestamptz, result = @result, step = @step, code = @code, detail = @detail
  where a.tenant_id = @tenant_id and a.message_id = @id and a.number = @number
)
update messages m
set claimed_at = null, claimed_by = null, dispatched_at = null, strikes = m.strikes + @strikes::int
where m.tenant_id = @tenant_id and m.id = @id;

-- name: CloseAttempt :exec
-- Ends an attempt whose message went on to the next provider.
update message_attempts
set finished_at = @at, result = @result, step = @step, code = @code, detail = @detail
where tenant_id = @tenant_id and message_id = @message_id and number = @number;

-- name: EnterQueue :exec
-- What a new or retried message begins its round of delivery with.
update messages
set due_since = @due_since::timestamptz, dispatched_at = sqlc.narg(dispatched_at), strikes = 0, send_key = coalesce(sqlc.narg(send_key), send_key)
where tenant_id = @tenant_id and id = @id;

-- name: TakeDue :many
-- Marks due messages as dispatched; of several processes each takes others.
update messages m
set dispatched_at = @at::timestamptz
from (
  select d.id from messages d
  where d.tenant_id = @tenant_id and d.id = any(@ids::uuid[]) and d.status in ('scheduled', 'queued') and d.deleted_at is null
    and d.next_attempt_at <= @at::timestamptz and (d.dispatched_at is null or d.dispatched_at < @stale::timestamptz)
  for update skip locked
) due
where m.tenant_id = @tenant_id and m.id = due.id
returning m.id;

-- name: ReleaseWaiting :exec
-- Messages without a way out become due once there is one.
update messages set next_attempt_at = @at::timestamptz, dispatched_at = null
where tenant_id = @tenant_id and channel = @channel and status = 'queued' and next_attempt_at is null and deleted_at is null;

-- name: Attempts :many
select a.number, a.at, a.finished_at, a.result, a.step, a.code, a.detail, a.provider_id, p.name as provider_name
from message_attempts a
join providers p on p.tenant_id = a.tenant_id and p.id = a.provider_id
where a.tenant_id = @tenant_id and a.message_id = @message_id
order by a.number;

-- name: Lock :exec
-- An advisory lock is no row, its name holds the tenant.
-- @sqlc-vet-disable tenant-scoped
select pg_advisory_xact_lock(hashtextextended(@name::text, 0));

-- name: Suppressed :one
select coalesce(max(reason), '')::text as reason from suppressions
where tenant_id = @tenant_id and address = @address and channel = @channel and deleted_at is null;
