-- First answers are kept sealed from now on: those of making an API key or a reset link
-- hold a secret. Answers of the day before the upgrade stay readable as they are.

-- +goose Up
alter table idempotency_keys add column sealed boolean not null default false;
comment on column idempotency_keys.body is 'The answer, sealed with CRM_SECRET_KEY where sealed says so.';

-- +goose Down
alter table idempotency_keys drop column sealed;
