-- Messages: templates, providers, the ledger of what was sent, and who must not be written to.

-- +goose Up
create table templates (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text not null, channel text not null default 'email', subject text, body text, body_text text,
  constraint templates_channel_check check (channel in ('email', 'sms', 'chat')),
  constraint templates_pkey primary key (tenant_id, id),
  constraint templates_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint templates_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table templates is 'Texts with places for names and figures, written by the tenant.';
create unique index templates_external_id_key on templates (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index templates_created_at_idx on templates (tenant_id, created_at desc, id desc);
select app_protect_tenant_table('templates');

create table suppressions (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  address text not null, channel text not null default 'email', reason text not null default 'manual', source text, note text,
  constraint suppressions_channel_check check (channel in ('email', 'sms', 'chat')),
  constraint suppressions_reason_check check (reason in ('hard_bounce', 'complaint', 'unsubscribe', 'manual')),
  constraint suppressions_pkey primary key (tenant_id, id),
  constraint suppressions_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint suppressions_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
comment on table suppressions is 'Addresses that must not be written to, and why.';
create unique index suppressions_address_key on suppressions (tenant_id, address, channel) where deleted_at is null;
create unique index suppressions_external_id_key on suppressions (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index suppressions_created_at_idx on suppressions (tenant_id, created_at desc, id desc);
select app_protect_tenant_table('suppressions');

create table providers (
  tenant_id  uuid not null,
  id         uuid not null,
  name       text not null,
  channel    text not null,
  type       text not null,
  priority   int not null default 10,
  settings   jsonb not null default '{}',
  sealed     bytea,
  state      text not null default 'active',
  last_error text not null default '',
  checked_at timestamptz,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  deleted_at timestamptz,
  version    bigint not null default 1,
  constraint providers_channel_check check (channel in ('email', 'sms', 'chat')),
  constraint providers_type_check check (type in ('smtp', 'http')),
  constraint providers_state_check check (state in ('active', 'unhealthy', 'disabled')),
  constraint providers_pkey primary key (tenant_id, id)
);
comment on table providers is 'Ways out for messages, tried in the order of priority; sealed holds the credentials, encrypted for this row alone.';
create index providers_priority_idx on providers (tenant_id, channel, priority, created_at) where deleted_at is null;
select app_protect_tenant_table('providers');

-- The columns after the comment are the ledger of the send path. They are not part of the record people see, change
-- without a version, and are written only by statements of this context.
create table messages (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  channel text not null default 'email', class text not null, status text not null, to_address text not null,
  contact_id uuid, lead_id uuid, template_id uuid, subject text, body_html text, body_text text, variables jsonb,
  send_at timestamptz, sent_at timestamptz, attempts bigint not null default 0, last_error text, provider_id uuid, message_id text, next_attempt_at timestamptz,
  -- ledger
  due_since     timestamptz, -- when this round of delivery began, null = send_at or created_at
  dispatched_at timestamptz, -- when a job was last inserted for it, null = none is on its way
  claimed_at    timestamptz,
  claimed_by    uuid,        -- the process that holds it while status is sending
  strikes       int not null default 0, -- attempts of this round that count towards giving up
  send_key      uuid,        -- idempotency key for providers that honour one, null = the id
  constraint messages_channel_check check (channel in ('email', 'sms', 'chat')),
  constraint messages_class_check check (class in ('transactional', 'marketing')),
  constraint messages_status_check check (status in ('scheduled', 'queued', 'sending', 'sent', 'delivered', 'bounced', 'failed', 'suppressed', 'cancelled', 'in_doubt')),
  constraint messages_pkey primary key (tenant_id, id),
  constraint messages_owner_id_fkey foreign key (tenant_id, owner_id) references users (tenant_id, id),
  constraint messages_team_id_fkey foreign key (tenant_id, team_id) references teams (tenant_id, id),
  constraint messages_contact_id_fkey foreign key (tenant_id, contact_id) references contacts (tenant_id, id),
  constraint messages_lead_id_fkey foreign key (tenant_id, lead_id) references leads (tenant_id, id),
  constraint messages_template_id_fkey foreign key (tenant_id, template_id) references templates (tenant_id, id),
  constraint messages_provider_id_fkey foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
comment on table messages is 'One row per message to one address: the intent, its state and what became of it.';
create unique index messages_external_id_key on messages (tenant_id, external_id) where deleted_at is null and external_id is not null;
create index messages_created_at_idx on messages (tenant_id, created_at desc, id desc);
create index messages_owner_id_idx on messages (tenant_id, owner_id, created_at desc, id desc);
create index messages_status_idx on messages (tenant_id, status, created_at desc, id desc) where deleted_at is null;
create index messages_contact_id_idx on messages (tenant_id, contact_id, created_at desc) where contact_id is not null;
create index messages_lead_id_idx on messages (tenant_id, lead_id, created_at desc) where lead_id is not null;
create index messages_template_id_idx on messages (tenant_id, template_id) where template_id is not null;
create index messages_provider_id_idx on messages (tenant_id, provider_id) where provider_id is not null;
create index messages_message_id_idx on messages (tenant_id, message_id) where message_id is not null;
-- The three below serve the functions that look across tenants.
create index messages_due_idx on messages (next_attempt_at, id)
  where status in ('scheduled', 'queued') and deleted_at is null and next_attempt_at is not null and dispatched_at is null;
create index messages_dispatched_idx on messages (dispatched_at)
  where status in ('scheduled', 'queued') and deleted_at is null and next_attempt_at is not null and dispatched_at is not null;
create index messages_sending_idx on messages (claimed_at) where status = 'sending';
select app_protect_tenant_table('messages');

create table message_attempts (
  tenant_id   uuid not null,
  message_id  uuid not null,
  number      bigint not null,
  provider_id uuid not null,
  worker      uuid not null,
  at          timestamptz not null,
  finished_at timestamptz,
  result      text not null default 'sending',
  step        text not null default '',
  code        int not null default 0,
  detail      text not null default '',
  constraint message_attempts_result_check check (result in
    ('sending', 'sent', 'temporary', 'route_busy', 'permanent', 'block', 'config', 'in_doubt', 'interrupted')),
  constraint message_attempts_pkey primary key (tenant_id, message_id, number),
  constraint message_attempts_message_id_fkey foreign key (tenant_id, message_id) references messages (tenant_id, id),
  constraint message_attempts_provider_id_fkey foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
comment on table message_attempts is 'Each claim of a message, committed before the first byte left, and its end.';
create index message_attempts_provider_id_idx on message_attempts (tenant_id, provider_id);
select app_protect_tenant_table('message_attempts');

create table unsubscribe_tokens (
  tenant_id  uuid not null,
  message_id uuid not null,
  hash       bytea not null,
  sealed     bytea not null,
  created_at timestamptz not null,
  constraint unsubscribe_tokens_pkey primary key (tenant_id, message_id),
  constraint unsubscribe_tokens_hash_key unique (hash),
  constraint unsubscribe_tokens_message_id_fkey foreign key (tenant_id, message_id) references messages (tenant_id, id)
);
comment on table unsubscribe_tokens is 'The link of a marketing message: found by its hash, sealed so that a second attempt carries the same one.';
select app_protect_tenant_table('unsubscribe_tokens');

-- Sending serves all tenants in the order of time, and an unsubscribe link comes before a tenant is known. These run as
-- the owner and give away ids only; what is done with them happens inside the tenant.
-- +goose StatementBegin
create function messages_due(lim int) returns table (tenant_id uuid, message_id uuid, due_at timestamptz)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select m.tenant_id, m.id, m.next_attempt_at from messages m join tenants t on t.id = m.tenant_id and t.state = 'active'
  where m.status in ('scheduled', 'queued') and m.deleted_at is null and m.next_attempt_at is not null and m.dispatched_at is null
  order by m.next_attempt_at, m.id limit lim
$$;
create function messages_forgotten(before timestamptz, lim int) returns table (tenant_id uuid, message_id uuid)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select m.tenant_id, m.id from messages m
  where m.status in ('scheduled', 'queued') and m.deleted_at is null and m.next_attempt_at is not null and m.dispatched_at < before
  order by m.dispatched_at limit lim
$$;
create function messages_interrupted(before timestamptz, alive uuid, lim int) returns table (tenant_id uuid, message_id uuid)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select m.tenant_id, m.id from messages m
  where m.status = 'sending' and (m.claimed_at < before or m.claimed_by <> alive)
  order by m.claimed_at limit lim
$$;
create function unsubscribe_target(wanted bytea) returns table (tenant_id uuid, message_id uuid)
  language sql stable security definer set search_path = public, pg_temp
as $$
  select u.tenant_id, u.message_id from unsubscribe_tokens u join tenants t on t.id = u.tenant_id
  where u.hash = wanted and t.state = 'active'
$$;
-- +goose StatementEnd
comment on function messages_due(int) is 'the messages that are due next and that no job is on its way for';
comment on function messages_forgotten(timestamptz, int) is 'messages whose job should have run long ago';
comment on function messages_interrupted(timestamptz, uuid, int) is 'messages claimed before a time, or (alive not null) by another process than this one';
revoke all on function messages_due(int), messages_forgotten(timestamptz, int), messages_interrupted(timestamptz, uuid, int), unsubscribe_target(bytea) from public;
grant execute on function messages_due(int), messages_forgotten(timestamptz, int), messages_interrupted(timestamptz, uuid, int), unsubscribe_target(bytea) to crm_app;

-- +goose Down
drop function unsubscribe_target(bytea);
drop function messages_interrupted(timestamptz, uuid, int);
drop function messages_forgotten(timestamptz, int);
drop function messages_due(int);
drop table unsubscribe_tokens;
drop table message_attempts;
drop table messages;
drop table providers;
drop table suppressions;
drop table templates;
