-- Second factors: codes of an authenticator app, recovery codes, and passkeys.

-- +goose Up
create table totp_secrets (
  tenant_id    uuid not null,
  user_id      uuid not null,
  sealed       bytea not null,
  last_step    bigint not null default 0,
  created_at   timestamptz not null,
  confirmed_at timestamptz,
  constraint totp_secrets_pkey primary key (tenant_id, user_id),
  constraint totp_secrets_user_id_fkey foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
);
comment on table totp_secrets is 'Seeds of authenticator apps, sealed; one counts from confirmed_at on. last_step is the latest code that was used.';
select app_protect_tenant_table('totp_secrets');

create table recovery_codes (
  tenant_id uuid not null,
  user_id   uuid not null,
  n         smallint not null,
  salt      bytea not null,
  hash      bytea not null,
  used_at   timestamptz,
  constraint recovery_codes_pkey primary key (tenant_id, user_id, n),
  constraint recovery_codes_user_id_fkey foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
);
comment on table recovery_codes is 'Argon2id hashes of codes for when the app is lost; a set shares its salt, so that one hash tries all.';
select app_protect_tenant_table('recovery_codes');

create table passkeys (
  tenant_id     uuid not null,
  id            uuid not null,
  user_id       uuid not null,
  name          text not null,
  credential_id bytea not null,
  credential    jsonb not null,
  created_at    timestamptz not null,
  last_used_at  timestamptz,
  constraint passkeys_pkey primary key (tenant_id, id),
  constraint passkeys_credential_id_key unique (tenant_id, credential_id),
  constraint passkeys_user_id_fkey foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
);
comment on table passkeys is 'Public keys of WebAuthn credentials; the private ones never leave the person''s device.';
create index passkeys_user_id_idx on passkeys (tenant_id, user_id);
select app_protect_tenant_table('passkeys');

-- +goose Down
drop table passkeys;
drop table recovery_codes;
drop table totp_secrets;
