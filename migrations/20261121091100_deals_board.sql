-- What the board, the forecast and the default pipeline need beyond the tables.

-- +goose Up
-- One default at most: two people may choose a new one at the same moment.
create unique index pipelines_is_default_key on pipelines (tenant_id) where is_default and deleted_at is null;

alter table deals add constraint deals_probability_check check (probability between 0 and 100);
alter table deals add constraint deals_forecast_category_check
  check (forecast_category in ('pipeline', 'best_case', 'commit', 'closed', 'omitted'));
-- The rules keep these in step; the constraints make sure that no import or backfill gets around them.
alter table deals add constraint deals_closed_at_check check ((closed_at is null) = (status = 'open'));

-- Board totals and the forecast read every deal of a stage, but only these columns: an index-only scan is an order of
-- magnitude less memory to walk than the table, whose rows are wide.
create index deals_totals_idx on deals (tenant_id, stage_id, amount_currency)
  include (id, amount, weighted_amount, owner_id, team_id, status, forecast_category, closed_at, expected_close_date)
  where deleted_at is null;

-- The board of somebody who only sees what they own: without it their few cards are looked for among everybody's.
create index deals_owner_board_idx on deals (tenant_id, owner_id, stage_id, position, id) where deleted_at is null;

-- +goose Down
drop index deals_owner_board_idx;
drop index deals_totals_idx;
alter table deals drop constraint deals_closed_at_check;
alter table deals drop constraint deals_forecast_category_check;
alter table deals drop constraint deals_probability_check;
drop index pipelines_is_default_key;
