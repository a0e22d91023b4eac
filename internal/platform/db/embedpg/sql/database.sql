-- Runs as superuser inside each database of the program; must be repeatable.
create extension if not exists pg_trgm;
create extension if not exists unaccent;

revoke create on schema public from public;
grant usage, create on schema public to crm_owner;
grant usage on schema public to crm_app;
-- create: the owner of a function needs it at the moment a migration hands the function over.
grant usage, create on schema public to crm_search;
