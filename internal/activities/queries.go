package activities

// Fixed statements; $1 is always the tenant.
const (
	deleteLinks = `delete from activity_links where tenant_id = $1 and activity_id = any($2)`

	insertLinks = `insert into activity_links (tenant_id, activity_id, object, record_id)
	  select $1, u.activity, u.object, u.record from unnest($2::uuid[], $3::text[], $4::uuid[]) as u(activity, object, record)
	  on conflict on constraint activity_links_pkey do nothing`

	activitiesAbout = `select distinct activity_id from activity_links where tenant_id = $1 and object = $2 and record_id = any($3) order by activity_id`

	// lockDeals takes one lock per deal, in the order given.
	lockDeals = `select pg_advisory_xact_lock(hashtextextended($1::text || d::text, 23)) from unnest($2::uuid[]) d`

	earliestDue = `select l.record_id, min(a.due_at) from activity_links l
	  join activities a on a.tenant_id = l.tenant_id and a.id = l.activity_id
	  where l.tenant_id = $1 and l.record_id = any($2) and l.object = 'deal'
	    and a.done_at is null and a.deleted_at is null and a.due_at is not null
	  group by l.record_id`

	// linkedActivities lists the newest activities about a record; their ids sort by
	// the moment they were made.
	linkedActivities = `select activity_id from activity_links where tenant_id = $1 and record_id = $2 and object = $3 order by activity_id desc limit $4`
)
