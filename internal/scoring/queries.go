package scoring

// The fixed statements of this context. Row level security is the lock; naming the tenant keeps the indexes in use.

const cardColumns = `id, object, version, status, stage, progress, error, decision, refuse, keep, report, labels, onnx_sha256,
  created_at, trained_at, activated_at, retired_at`

const (
	sqlModels = `select ` + cardColumns + ` from scoring_models
  where tenant_id = $1 and object = $2 order by version desc limit $3`

	sqlModel = `select ` + cardColumns + ` from scoring_models where tenant_id = $1 and id = $2`

	sqlActive = `select id, version, trained_at from scoring_models where tenant_id = $1 and object = $2 and status = 'active'`

	sqlBefore = `select b.id, b.version, b.trained_at from scoring_models a join scoring_models b on b.tenant_id = a.tenant_id and b.id = a.replaced_id
  where a.tenant_id = $1 and a.object = $2 and a.status = 'active'`

	sqlFiles = `select onnx, onnx_sha256, model, model_sha256 from scoring_models
  where tenant_id = $1 and id = $2 and status not in ('training', 'failed')`

	sqlJudged = `select id, version, judged, report from scoring_models where tenant_id = $1 and object = $2 and status = 'active'`

	sqlTraining = `select ` + cardColumns + ` from scoring_models where tenant_id = $1 and object = $2 and status = 'training'`

	// A training whose process died more than a while ago, and that nobody took up, must not be in the way for ever.
	sqlAbandon = `update scoring_models set status = 'failed', stage = '', error = $4, updated_at = $3
  where tenant_id = $1 and object = $2 and status = 'training' and updated_at < $3::timestamptz - interval '15 minutes'`

	sqlInsert = `insert into scoring_models (tenant_id, id, object, version, status, stage, refuse, keep, created_at, created_by, updated_at)
  select $1, $2, $3, coalesce(max(version), 0) + 1, 'training', 'waiting', $4::text[], $5::text[], $6, $7, $6
  from scoring_models where tenant_id = $1 and object = $3
  on conflict do nothing`

	sqlProgress = `update scoring_models set stage = $3, progress = greatest(progress, $4), updated_at = $5
  where tenant_id = $1 and id = $2 and status = 'training'`

	sqlFail = `update scoring_models set status = 'failed', stage = '', error = $3, updated_at = $4
  where tenant_id = $1 and id = $2 and status = 'training'`

	sqlFinish = `update scoring_models set status = 'candidate', stage = '', progress = 1, decision = $3, report = $4, labels = $5,
  onnx = $6, onnx_sha256 = $7, model = $8, model_sha256 = $9, judged = $10, trained_at = $11, updated_at = $11
  where tenant_id = $1 and id = $2 and status = 'training'`

	sqlRetire = `update scoring_models set status = 'retired', retired_at = $3, updated_at = $3
  where tenant_id = $1 and object = $2 and status = 'active' returning id`

	sqlActivate = `update scoring_models set status = 'active', decision = $3, replaced_id = $4, activated_at = $5, retired_at = null, updated_at = $5
  where tenant_id = $1 and id = $2 and status in ('candidate', 'retired')`

	// A rollback keeps the older model's own predecessor, so that rolling back twice goes back two steps.
	sqlReactivate = `update scoring_models set status = 'active', decision = $3, activated_at = $4, retired_at = null, updated_at = $4
  where tenant_id = $1 and id = $2 and status in ('candidate', 'retired')`

	sqlReplaced = `select coalesce(a.replaced_id, '00000000-0000-0000-0000-000000000000'::uuid)
  from scoring_models a where a.tenant_id = $1 and a.object = $2 and a.status = 'active'`

	// One at a time decides which model of an object is active.
	sqlLock = `select pg_advisory_xact_lock(hashtextextended('scoring:' || $1::text || ':' || $2::text, 0))`

	// Old models go, except the active one and those a rollback may still reach.
	sqlPrune = `with recursive chain as (
    select id, replaced_id from scoring_models where tenant_id = $1 and object = $2 and status = 'active'
    union
    select m.id, m.replaced_id from scoring_models m join chain c on m.id = c.replaced_id where m.tenant_id = $1
  )
  delete from scoring_models where tenant_id = $1 and object = $2 and status in ('candidate', 'retired', 'failed')
    and id not in (select id from chain limit 10)
    and version <= (select max(version) from scoring_models where tenant_id = $1 and object = $2) - 20`

	sqlSettings = `select refuse, keep from scoring_settings where tenant_id = $1 and object = $2`

	sqlRemember = `insert into scoring_settings (tenant_id, object, refuse, keep, updated_at, updated_by) values ($1, $2, $3::text[], $4::text[], $5, $6)
  on conflict (tenant_id, object) do update set refuse = excluded.refuse, keep = excluded.keep, updated_at = excluded.updated_at, updated_by = excluded.updated_by`
)
