-- The journal, search documents and custom fields: what the record kernel keeps
-- about every object.

-- +goose Up
create sequence journal_seq;
grant usage on sequence journal_seq to crm_app;

create table journal (
  tenant_id  uuid not null,
  seq        bigint not null default nextval('journal_seq'),
  xid        xid8 not null default pg_current_xact_id(),
  at         timestamptz not null,
  actor_kind text not null,
  actor_id   uuid,
  actor_name text not null default '',
  via        text not null,
  request_id text not null default '',
  cause_seq  bigint,
  depth      int not null default 0,
  batch_id   uuid,
  object     text not null,
  record_id  uuid not null,
  action     text not null,
  changes    jsonb not null default '{}',
  data       jsonb not null default '{}',
  constraint journal_pkey primary key (tenant_id, seq, at)
) partition by range (at);
comment on table journal is 'Append-only: every change and happening of a tenant; readers see seqs below the oldest running xid.';
select app_append_only('journal');

-- One partition a month, made ahead of time by the program (it owns nothing, so
-- the function runs as the owner); the default one catches what nobody foresaw.
create table journal_default partition of journal default;
select app_isolate_tenants('journal_default');

-- +goose StatementBegin
create function journal_add_partitions(months int) returns int
  language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  first date;
  name text;
  made int := 0;
begin
  for i in 0 .. least(months, 36) loop
    first := (date_trunc('month', now() at time zone 'utc') + make_interval(months => i))::date;
    name := 'journal_' || to_char(first, 'YYYYMM');
    if to_regclass(name) is null then
      execute format('create table %I partition of journal for values from (%L) to (%L)', name, first::timestamp at time zone 'utc', (first + interval '1 month') at time zone 'utc');
      perform app_isolate_tenants(name::regclass);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
-- +goose StatementEnd
revoke all on function journal_add_partitions(int) from public;
grant execute on function journal_add_partitions(int) to crm_app;
select journal_add_partitions(12);

create index journal_record_idx on journal (tenant_id, object, record_id, seq desc);
create index journal_batch_idx on journal (tenant_id, batch_id, seq desc) where batch_id is not null;
create table journal_refs (
  tenant_id uuid not null,
  record_id uuid not null,
  seq       bigint not null,
  at        timestamptz not null,
  constraint journal_refs_pkey primary key (tenant_id, record_id, seq)
);
comment on table journal_refs is 'Timeline links: journal rows that also belong on another record''s timeline.';
select app_append_only('journal_refs');

create table journal_subscribers (
  tenant_id  uuid not null,
  name       text not null,
  after_seq  bigint not null default 0,
  after_at   timestamptz not null default '-infinity',
  failures   int not null default 0,
  last_error text not null default '',
  updated_at timestamptz not null,
  constraint journal_subscribers_pkey primary key (tenant_id, name)
);
comment on table journal_subscribers is 'How far each named reader of the journal has come, per tenant.';
select app_protect_tenant_table('journal_subscribers');

create table journal_dead_letters (
  tenant_id  uuid not null,
  subscriber text not null,
  seq        bigint not null,
  error      text not null,
  at         timestamptz not null,
  constraint journal_dead_letters_pkey primary key (tenant_id, subscriber, seq)
);
comment on table journal_dead_letters is 'Journal rows a subscriber gave up on, for an admin to look at and replay.';
select app_protect_tenant_table('journal_dead_letters');

create table search_documents (
  tenant_id uuid not null,
  record_id uuid not null,
  object    text not null,
  title     text not null,
  body      text not null,
  constraint search_documents_pkey primary key (tenant_id, record_id)
);
comment on table search_documents is 'One folded text per record; read only through search_records.';
create index search_documents_body_idx on search_documents using gin (body gin_trgm_ops);
select app_protect_tenant_table('search_documents');

-- Row level security hides trigram operators from the planner, so the search
-- runs as the owner and takes the tenant from the transaction alone. It returns
-- ids; the caller applies row and field rights.
-- +goose StatementBegin
create function search_records(q text, objects text[], depth int)
  returns table (object text, record_id uuid, rank real)
  language plpgsql stable security definer set search_path = public, pg_temp
as $$
declare
  tenant uuid := app_tenant();
  words text[];
begin
  if tenant is null or length(q) = 0 then
    return;
  end if;
  select array_agg('%' || replace(replace(replace(w, '\', '\\'), '%', '\%'), '_', '\_') || '%') into words from unnest(string_to_array(q, ' ')) w;
  -- Every word must occur; the planner intersects the trigram index.
  return query
    select d.object, d.record_id, (similarity(d.title, q) + case when lower(d.title) like q || '%' then 1 else 0 end)::real as r
    from search_documents d
    where d.tenant_id = tenant and d.object = any(objects)
      and d.body like words[1] and d.body like coalesce(words[2], '%') and d.body like all (words)
    order by r desc, d.record_id desc limit depth;
  if not found and length(q) >= 3 then
    return query
      select d.object, d.record_id, word_similarity(q, d.body)::real as r
      from search_documents d
      where d.tenant_id = tenant and d.object = any(objects) and q <% d.body
      order by r desc, d.record_id desc limit least(depth, 50);
  end if;
end $$;
-- +goose StatementEnd
revoke all on function search_records(text, text[], int) from public;
grant execute on function search_records(text, text[], int) to crm_app;

create table custom_fields (
  tenant_id  uuid not null,
  id         uuid not null,
  object     text not null,
  name       text not null,
  label      text not null,
  type       text not null,
  options    text[] not null default '{}',
  created_at timestamptz not null,
  constraint custom_fields_pkey primary key (tenant_id, id),
  constraint custom_fields_name_key unique (tenant_id, object, name),
  constraint custom_fields_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$')
);
comment on table custom_fields is 'Fields a tenant added to an object; their values live in the object''s custom column.';
select app_protect_tenant_table('custom_fields');

create table idempotency_keys (
  tenant_id   uuid not null,
  principal   uuid not null,
  key         text not null,
  fingerprint bytea not null,
  state       text not null,
  status      int,
  headers     jsonb,
  body        bytea,
  created_at  timestamptz not null,
  constraint idempotency_keys_pkey primary key (tenant_id, principal, key),
  constraint idempotency_keys_state_check check (state in ('running', 'done'))
);
comment on table idempotency_keys is 'First answers of keyed requests, replayed byte for byte for 24 hours.';
select app_protect_tenant_table('idempotency_keys');

-- +goose Down
drop table idempotency_keys;
drop table custom_fields;
drop function search_records(text, text[], int);
drop table search_documents;
drop table journal_dead_letters;
drop table journal_subscribers;
drop table journal_refs;
drop table journal;
drop function journal_add_partitions(int);
drop sequence journal_seq;
