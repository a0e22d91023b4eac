-- Batches being taken back: how far each has come, committed with the rows themselves, so that a killed process goes on
-- where it was.

-- +goose Up
create table undos (
  tenant_id   uuid not null,
  id          uuid not null,
  batch_id    uuid not null,
  state       text not null default 'running',
  total       bigint not null,
  before_seq  bigint not null,
  reversed    bigint not null default 0,
  left_out    bigint not null default 0,
  conflicts   jsonb not null default '[]',
  conflicted  bigint not null default 0,
  kept        uuid[] not null default '{}',
  actor       jsonb not null,
  error       text not null default '',
  created_at  timestamptz not null,
  created_by  uuid,
  finished_at timestamptz,
  constraint undos_pkey primary key (tenant_id, id),
  constraint undos_state_check check (state in ('running', 'done', 'failed'))
);
comment on table undos is 'Undo of a batch: before_seq is the place (rows are taken back newest first), id is the batch its own journal rows carry, kept are made records that must stay.';
create unique index undos_batch_id_key on undos (tenant_id, batch_id) where state = 'running';
select app_protect_tenant_table('undos');

-- +goose Down
drop table undos;
