-- Seals over the journal: a chain of keyed hashes per tenant that shows whether somebody changed the past.

-- +goose Up
create table journal_seals (
  tenant_id uuid not null,
  to_seq    bigint not null,
  from_seq  bigint not null,
  rows      int not null,
  digests   bytea not null,
  prev_hash bytea not null,
  hash      bytea not null,
  key_id    text not null,
  at        timestamptz not null,
  constraint journal_seals_pkey primary key (tenant_id, to_seq),
  constraint journal_seals_rows_check check (rows > 0 and from_seq <= to_seq)
);
comment on table journal_seals is 'Each seal covers the journal rows after the seal before it up to to_seq; hash is keyed and includes prev_hash; digests (12 bytes a row) tell which row differs.';
select app_append_only('journal_seals');

-- +goose Down
drop table journal_seals;
