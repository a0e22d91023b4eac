-- Finds the answers of keyed requests whose day is over, for the clean-up that runs twice a day.

-- +goose Up
create index idempotency_keys_created_idx on idempotency_keys (tenant_id, created_at);

-- +goose Down
drop index idempotency_keys_created_idx;
