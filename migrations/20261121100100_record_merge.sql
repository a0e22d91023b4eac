-- Duplicates, merges and the bin: keys that probable duplicates share, where a merged record went, and how long the bin
-- keeps what lies in it.

-- +goose Up
-- A key is the first 64 bits of a hash over what matched ("email:ada@acme.com"): narrow, no personal data in clear, and
-- its equality is leakproof. A collision costs nothing, since records found by a key are compared again in full.
create table record_match_keys (
  tenant_id uuid not null,
  object    text not null,
  key       bigint not null,
  record_id uuid not null,
  constraint record_match_keys_pkey primary key (tenant_id, object, key, record_id)
);
comment on table record_match_keys is 'What living records have in common with their probable duplicates; kept by the record kernel.';
select app_protect_tenant_table('record_match_keys');

create table record_redirects (
  tenant_id uuid not null,
  object    text not null,
  old_id    uuid not null,
  new_id    uuid not null,
  batch_id  uuid not null,
  at        timestamptz not null,
  constraint record_redirects_pkey primary key (tenant_id, object, old_id)
);
comment on table record_redirects is 'Which record a merged one became part of; undoing the merge removes the row. Chains are followed when read.';
create index record_redirects_new_id_idx on record_redirects (tenant_id, object, new_id);
select app_protect_tenant_table('record_redirects');

alter table tenants add column bin_days int not null default 30;
alter table tenants add constraint tenants_bin_days_check check (bin_days between 0 and 3650);
comment on column tenants.bin_days is 'days the bin keeps a record before it is purged; 0 = for ever';

-- Lists of the bin, and the purge, without walking the living.
create index contacts_bin_idx on contacts (tenant_id, deleted_at) where deleted_at is not null;
create index accounts_bin_idx on accounts (tenant_id, deleted_at) where deleted_at is not null;
create index leads_bin_idx on leads (tenant_id, deleted_at) where deleted_at is not null;
create index deals_bin_idx on deals (tenant_id, deleted_at) where deleted_at is not null;
create index activities_bin_idx on activities (tenant_id, deleted_at) where deleted_at is not null;
create index messages_bin_idx on messages (tenant_id, deleted_at) where deleted_at is not null;

-- Purging needs a right of its own; admins of the workspace have it.
update roles set grants = grants || '{"*:purge": "all"}' where built_in and key = 'tenant_admin';

-- Keys of what is there already, as the contexts' rules make them. Names with accents or signs get theirs at their next
-- change: folding those is the program's business.
-- +goose StatementBegin
create function pg_temp.match_key(t text) returns bigint language sql immutable
as $$ select ('x' || substr(encode(sha256(convert_to(t, 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint $$;
-- +goose StatementEnd
insert into record_match_keys (tenant_id, object, key, record_id)
  select c.tenant_id, 'contact', pg_temp.match_key('email:' || m.value), c.id from contacts c
  cross join lateral (select c.email as value union select e->>'value' from jsonb_array_elements(case jsonb_typeof(c.emails) when 'array' then c.emails else '[]' end) e) m
  where c.deleted_at is null and m.value is not null
union select c.tenant_id, 'contact', pg_temp.match_key('phone:' || m.value), c.id from contacts c
  cross join lateral (select c.phone as value union select e->>'value' from jsonb_array_elements(case jsonb_typeof(c.phones) when 'array' then c.phones else '[]' end) e) m
  where c.deleted_at is null and m.value like '+_______%'
union select c.tenant_id, 'contact', pg_temp.match_key('name:' || lower(c.first_name || ' ' || c.last_name) || '@' || c.account_id), c.id from contacts c
  where c.deleted_at is null and c.account_id is not null and c.first_name is not null and c.last_name is not null
union select a.tenant_id, 'account', pg_temp.match_key('domain:' || a.domain), a.id from accounts a where a.deleted_at is null and a.domain is not null
union select a.tenant_id, 'account', pg_temp.match_key('name:' || lower(a.name)), a.id from accounts a where a.deleted_at is null
union select l.tenant_id, 'lead', pg_temp.match_key('email:' || l.email), l.id from leads l where l.deleted_at is null and l.email is not null
union select l.tenant_id, 'lead', pg_temp.match_key('phone:' || l.phone), l.id from leads l where l.deleted_at is null and l.phone like '+_______%';

-- +goose Down
drop index messages_bin_idx;
drop index activities_bin_idx;
drop index deals_bin_idx;
drop index leads_bin_idx;
drop index accounts_bin_idx;
drop index contacts_bin_idx;
update roles set grants = grants - '*:purge' where built_in and key = 'tenant_admin';
alter table tenants drop column bin_days;
drop table record_redirects;
drop table record_match_keys;
