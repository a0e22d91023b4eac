-- Scoring: the models of a tenant, their files and cards, and what training is told to leave out.

-- +goose Up
create table scoring_models (
  tenant_id    uuid not null,
  id           uuid not null,
  object       text not null,
  version      int not null,
  status       text not null,
  stage        text not null default '',
  progress     double precision not null default 0,
  error        text not null default '',
  decision     text not null default '',
  refuse       text[] not null default '{}',
  keep         text[] not null default '{}',
  -- The card: figures measured on leads the model never saw, and the names fields had then.
  report       jsonb,
  labels       jsonb not null default '{}',
  -- The model itself, 60 to 170 kB in each form. It lives here rather than on a disk so that every replica has it
  -- and a backup is complete. judged is the model the card describes: trained without the held-out leads.
  onnx         bytea,
  onnx_sha256  bytea,
  model        bytea,
  model_sha256 bytea,
  judged       bytea,
  replaced_id  uuid,
  created_at   timestamptz not null,
  created_by   uuid,
  updated_at   timestamptz not null,
  trained_at   timestamptz,
  activated_at timestamptz,
  retired_at   timestamptz,
  constraint scoring_models_pkey primary key (tenant_id, id),
  constraint scoring_models_version_key unique (tenant_id, object, version),
  constraint scoring_models_status_check check (status in ('training', 'candidate', 'active', 'retired', 'failed')),
  constraint scoring_models_trained_check check (status in ('training', 'failed') or (report is not null and onnx is not null and onnx_sha256 is not null and model is not null and model_sha256 is not null and trained_at is not null))
);
comment on table scoring_models is 'Lead scoring models: one row per training, with the model in both forms and its card.';
-- One model scores, one is being trained; the database makes sure of it.
create unique index scoring_models_active_key on scoring_models (tenant_id, object) where status = 'active';
create unique index scoring_models_training_key on scoring_models (tenant_id, object) where status = 'training';
select app_protect_tenant_table('scoring_models');

create table scoring_settings (
  tenant_id  uuid not null,
  object     text not null,
  refuse     text[] not null default '{}',
  keep       text[] not null default '{}',
  updated_at timestamptz not null,
  updated_by uuid,
  constraint scoring_settings_pkey primary key (tenant_id, object)
);
comment on table scoring_settings is 'Fields that training must leave out, and fields people vouched for although they look like leaks.';
select app_protect_tenant_table('scoring_settings');

-- +goose Down
drop table scoring_settings;
drop table scoring_models;
