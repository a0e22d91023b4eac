-- Only the sweep of old keys may use the index by age: on a young table without
-- statistics the planner took it for look-ups by key too and read a whole day.

-- +goose Up
drop index idempotency_keys_created_idx;
create index idempotency_keys_age_idx on idempotency_keys (tenant_id, created_at) where state = 'done';

-- +goose Down
drop index idempotency_keys_age_idx;
create index idempotency_keys_created_idx on idempotency_keys (tenant_id, created_at);
