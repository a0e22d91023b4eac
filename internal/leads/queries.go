package leads

// Fixed statements. Each names the tenant beside row level security, so that the
// indexes, which begin with it, are used.
const (
	tenantCurrency = `select currency from tenants where id = app_tenant()`

	// lockKeys makes transactions that look for the same company or person wait for
	// each other. $1 tenant, $2 keys in order, so that two cannot wait crosswise.
	lockKeys = `select pg_advisory_xact_lock(hashtextextended($1::text || k, 17)) from unnest($2::text[]) k`

	lockLead = `select id from leads where tenant_id = $1 and id = $2 for update`

	// lastConversion finds the journal row of a lead's latest conversion.
	lastConversion = `select seq, batch_id from journal
	  where tenant_id = $1 and object = 'lead' and record_id = $2 and action = 'converted' order by seq desc limit 1`

	// conversionRows lists what a conversion did, last first.
	conversionRows = `select seq, object, record_id, action from journal
	  where tenant_id = $1 and batch_id = $2 and seq <= $3 and action <> 'undone' order by seq desc`

	// touchedSince names those of the records $2 that people or programs have
	// worked on since the conversion: changes of their own, or of others that refer
	// to them. $3 first row, $4 batch of the conversion, $5 the lead itself. What the
	// product does by itself (scores, roll-ups) does not count as work.
	touchedSince = `select distinct s.record_id from (
	    select j.record_id, j.object, j.record_id as changed, j.batch_id, j.actor_kind from journal j
	    where j.tenant_id = $1 and j.object = any($6) and j.record_id = any($2) and j.seq > $3
	    union all
	    select r.record_id, j.object, j.record_id, j.batch_id, j.actor_kind from journal_refs r
	    join journal j on j.tenant_id = r.tenant_id and j.seq = r.seq and j.at = r.at
	    where r.tenant_id = $1 and r.record_id = any($2) and r.seq > $3
	  ) s where s.batch_id is distinct from $4 and s.actor_kind <> 'system' and s.changed <> $5`
)
