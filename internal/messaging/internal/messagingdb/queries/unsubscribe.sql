-- name: PutUnsubscribeToken :exec
insert into unsubscribe_tokens (tenant_id, message_id, hash, sealed, created_at)
values (@tenant_id, @message_id, @hash, @sealed, @created_at)
on conflict on constraint unsubscribe_tokens_pkey do update set hash = excluded.hash, sealed = excluded.sealed;

-- name: UnsubscribeToken :one
select sealed from unsubscribe_tokens
where tenant_id = @tenant_id and message_id = @message_id;
