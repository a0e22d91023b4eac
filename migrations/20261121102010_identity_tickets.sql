-- Tickets: secrets that open one door once, such as the link of an invitation.

-- +goose Up
create table sign_in_tickets (
  tenant_id  uuid not null,
  id         uuid not null,
  kind       text not null,
  user_id    uuid,
  token_hash bytea not null,
  sealed     bytea,
  created_at timestamptz not null,
  created_by uuid,
  expires_at timestamptz not null,
  used_at    timestamptz,
  constraint sign_in_tickets_pkey primary key (tenant_id, id),
  constraint sign_in_tickets_token_hash_key unique (token_hash),
  constraint sign_in_tickets_user_id_fkey foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade,
  constraint sign_in_tickets_kind_check check (kind in ('invite', 'reset', 'code', 'enrol', 'provider', 'link', 'passkey', 'answered'))
);
comment on table sign_in_tickets is 'Invitations, resets and unfinished sign-ins: only the hash of the secret, used once, with an end.';
comment on column sign_in_tickets.sealed is 'what the next step needs to know, sealed with the installation''s key';
create index sign_in_tickets_user_id_idx on sign_in_tickets (tenant_id, user_id, kind);
create index sign_in_tickets_expires_at_idx on sign_in_tickets (tenant_id, expires_at);
select app_protect_tenant_table('sign_in_tickets');

-- +goose StatementBegin
create function auth_ticket(hash bytea) returns table (tenant_id uuid, slug text, ticket_id uuid, kind text, user_id uuid, sealed bytea, expires_at timestamptz)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select k.tenant_id, t.slug, k.id, k.kind, k.user_id, k.sealed, k.expires_at from sign_in_tickets k join tenants t on t.id = k.tenant_id
  where k.token_hash = hash and k.used_at is null and t.state = 'active'
$$;
-- +goose StatementEnd
revoke all on function auth_ticket(bytea) from public;
grant execute on function auth_ticket(bytea) to crm_app;

-- +goose Down
drop function auth_ticket(bytea);
drop table sign_in_tickets;
