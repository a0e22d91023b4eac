-- name: InsertUnsubscribeToken :exec
insert into unsubscribe_tokens (tenant_id, message_id, hash, sealed, created_at)
values (@tenant_id, @message_id, @hash, @sealed, @created_at);

-- name: UnsubscribeToken :one
select sealed from unsubscribe_tokens
where tenant_id = @tenant_id and message_id = @message_id;
