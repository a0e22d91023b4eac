-- Search at a million records: every step is bounded, and it only considers
-- what the actor may see.

-- +goose Up
-- A space at both ends makes "begins with" and "is the word" patterns that the
-- trigram index understands: '% smi%' and '% smith %'.
alter table search_documents add column owner_id uuid, add column team_id uuid;
update search_documents set body = ' ' || body || ' ';
-- +goose StatementBegin
do $$
declare
  t text;
begin
  foreach t in array array['accounts', 'contacts', 'leads', 'deals', 'products', 'activities', 'messages', 'templates'] loop
    execute format('update search_documents d set owner_id = r.owner_id, team_id = r.team_id from %I r where r.tenant_id = d.tenant_id and r.id = d.record_id', t);
  end loop;
end $$;
-- +goose StatementEnd
alter table search_documents add constraint search_documents_body_check check (body like ' %' and body like '% ');
comment on column search_documents.body is 'Folded text with a space at both ends.';

drop function search_records(text, text[], int);

-- Hits are looked for in three steps, from the word itself over its beginning to
-- its inside; each takes the first few hundred it finds, and
-- only those are ranked. So a word that half the tenant's records contain costs
-- as much as a rare one. The planner must not scan: its guess for a pattern is
-- off by three orders of magnitude either way.
-- +goose StatementBegin
create function search_records(q text, all_objects text[], team_objects text[], own_objects text[],
    me uuid, users uuid[], teams uuid[], depth int)
  returns table (object text, record_id uuid, rank real)
  language plpgsql stable security definer set search_path = public, pg_temp set enable_seqscan = off
as $$
declare
  tenant uuid := app_tenant();
  words text[];
  step int;
  hits uuid[] := '{}';
  wanted int := greatest(200, least(depth, 1000));
begin
  if tenant is null or length(q) = 0 then
    return;
  end if;
  select array_agg(replace(replace(replace(w, '\', '\\'), '%', '\%'), '_', '\_')) into words from unnest(string_to_array(q, ' ')) w where w <> '';
  for step in 1 .. 3 loop
    hits := hits || array(
      select d.record_id from search_documents d
      where d.tenant_id = tenant
        and d.body like (case step when 1 then '% ' || words[1] || ' %' when 2 then '% ' || words[1] || '%' else '%' || words[1] || '%' end)
        and d.body like coalesce(case step when 1 then '% ' || words[2] || ' %' when 2 then '% ' || words[2] || '%' else '%' || words[2] || '%' end, '%')
        and d.body like all (array(select '%' || w || '%' from unnest(words[3:]) w))
        and (d.object = any(all_objects)
          or d.object = any(own_objects) and d.owner_id = me
          or d.object = any(team_objects) and (d.owner_id = any(users) or d.team_id = any(teams)))
      limit wanted);
    exit when cardinality(hits) >= wanted;
    -- A short piece has no trigrams: only words that begin with it can be found.
    exit when step = 2 and length(words[1]) < 3;
  end loop;
  return query
    select d.object, d.record_id,
      (similarity(d.title, q) + word_similarity(q, d.body)
        + case when lower(d.title) = q then 2 when lower(d.title) like words[1] || '%' then 1 else 0 end
        + case when d.body like '% ' || words[1] || ' %' then 1 when d.body like '% ' || words[1] || '%' then 0.5 else 0 end)::real as r
    from search_documents d
    where d.tenant_id = tenant and d.record_id = any(hits)
    order by r desc, d.record_id desc limit depth;
end $$;
-- +goose StatementEnd
revoke all on function search_records(text, text[], text[], text[], uuid, uuid[], uuid[], int) from public;
grant execute on function search_records(text, text[], text[], text[], uuid, uuid[], uuid[], int) to crm_app;

-- Ids of an object's records whose document matches every pattern, or null when
-- there are more than most: then walking the list's own order is the quicker way.
-- It may name records the actor must not see; the list it narrows applies rights.
-- +goose StatementBegin
create function search_candidates(patterns text[], of_object text, most int)
  returns uuid[]
  language plpgsql stable security definer set search_path = public, pg_temp set enable_seqscan = off
as $$
declare
  tenant uuid := app_tenant();
  found_ids uuid[];
begin
  found_ids := array(
    select d.record_id from search_documents d
    where d.tenant_id = tenant and d.object = of_object
      and d.body like patterns[1] and d.body like coalesce(patterns[2], '%') and d.body like all (patterns)
    limit most + 1);
  if cardinality(found_ids) > most then
    return null;
  end if;
  return found_ids;
end $$;
-- +goose StatementEnd
revoke all on function search_candidates(text[], text, int) from public;
grant execute on function search_candidates(text[], text, int) to crm_app;

-- The word of the tenant's documents that a misspelled one most likely means, or
-- null. variants are patterns one slip away from it.
-- +goose StatementBegin
create function search_spelling(word text, variants text[])
  returns text
  language plpgsql stable security definer set search_path = public, pg_temp
  set enable_seqscan = off
as $$
declare
  tenant uuid := app_tenant();
  bodies text[];
begin
  bodies := array(select d.body from search_documents d where d.tenant_id = tenant and d.body like any (variants) limit 100);
  if cardinality(bodies) = 0 then
    bodies := array(select d.body from search_documents d where d.tenant_id = tenant and word <% d.body limit 200);
  end if;
  return (
    select w from unnest(bodies) b, unnest(string_to_array(btrim(b), ' ')) w
    where w !~ '[0-9@]' and (' ' || w || ' ' like any (variants) or similarity(w, word) >= 0.3)
    group by w order by (' ' || w || ' ' like any (variants)) desc, similarity(w, word) desc, count(*) desc, w limit 1);
end $$;
-- +goose StatementEnd
revoke all on function search_spelling(text, text[]) from public;
grant execute on function search_spelling(text, text[]) to crm_app;

-- Lists read filled rows in an index's own order and the empty ones after them,
-- so these no longer need to say where empty values go.
drop index deals_closed_at_idx;
create index deals_closed_at_idx on deals (tenant_id, closed_at, id);
drop index leads_score_idx;
create index leads_score_idx on leads (tenant_id, score, id) where deleted_at is null;
create index contacts_updated_at_idx on contacts (tenant_id, updated_at desc, id desc);
create index contacts_first_name_idx on contacts (tenant_id, first_name, id);
create index accounts_updated_at_idx on accounts (tenant_id, updated_at desc, id desc);

-- +goose Down
drop index leads_score_idx;
create index leads_score_idx on leads (tenant_id, score desc nulls last, id desc) where deleted_at is null;
drop index deals_closed_at_idx;
create index deals_closed_at_idx on deals (tenant_id, closed_at desc nulls last, id desc);
drop index accounts_updated_at_idx;
drop index contacts_first_name_idx;
drop index contacts_updated_at_idx;
drop function search_spelling(text, text[]);
drop function search_candidates(text[], text, int);
drop function search_records(text, text[], text[], text[], uuid, uuid[], uuid[], int);
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
  return query
    select d.object, d.record_id, (similarity(d.title, q) + case when lower(d.title) like q || '%' then 1 else 0 end)::real as r
    from search_documents d
    where d.tenant_id = tenant and d.object = any(objects)
      and d.body like words[1] and d.body like coalesce(words[2], '%') and d.body like all (words)
    order by r desc, d.record_id desc limit depth;
end $$;
-- +goose StatementEnd
revoke all on function search_records(text, text[], int) from public;
grant execute on function search_records(text, text[], int) to crm_app;
alter table search_documents drop constraint search_documents_body_check, drop column owner_id, drop column team_id;
update search_documents set body = btrim(body);
