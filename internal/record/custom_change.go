package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// ChangeCustomField changes label, help, place and rules of a field; object, name and
// type stay. A rule that records break is refused with their number, since it would be
// a promise the data does not keep.
func (k *Kernel) ChangeCustomField(ctx context.Context, fid uuid.UUID, change func(*CustomField) error) (*CustomField, error) {
	if _, _, err := auth.Require(ctx, "custom_field", auth.Update); err != nil {
		return nil, err
	}
	var out *CustomField
	err := k.defining(ctx, func(ctx context.Context, tx pgx.Tx, a *auth.Actor) error {
		set, err := k.loadCustom(ctx)
		if err != nil {
			return err
		}
		old, err := set.byID(fid)
		if err != nil {
			return err
		}
		if old.DeletedAt != nil {
			return errs.New(errs.Conflict, "field_hidden", "%s is hidden. Restore it first.", old.Label)
		}
		f := *old
		f.Options, out = slices.Clone(old.Options), &f
		if err := change(&f); err != nil {
			return err
		}
		f.ID, f.Object, f.Name, f.Type = old.ID, old.Object, old.Name, old.Type
		return k.changeField(ctx, tx, a, set, old, &f)
	})
	return out, err
}

func (k *Kernel) changeField(ctx context.Context, tx pgx.Tx, a *auth.Actor, set *customSet, old, f *CustomField) error {
	o, ok := k.objectIn(set, f.Object)
	if !ok {
		return errNoField()
	}
	if f.Label == "" {
		f.Label = humanise(f.Name)
	}
	if err := k.checkCustom(set, o, f); err != nil {
		return err
	}
	if err := k.checkRecords(ctx, tx, a, o, old, f); err != nil {
		return err
	}
	if err := k.storeField(ctx, tx, a, f); err != nil {
		return err
	}
	if computesAnew(old, f) {
		if err := k.fill(ctx, tx, a, o, f); err != nil {
			return err
		}
	} else if old.Unique != f.Unique || old.Indexed != f.Indexed {
		if err := k.rekeep(ctx, tx, a, o, f); err != nil {
			return err
		}
	}
	_, err := k.Emit(ctx, tx, "custom_field", f.ID, "updated", f.journal())
	return err
}

func (k *Kernel) storeField(ctx context.Context, tx pgx.Tx, a *auth.Actor, f *CustomField) error {
	doc, err := settingsJSON(f)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update custom_fields set label = $3, options = $4, settings = $5, deleted_at = $6, updated_at = $7 where tenant_id = $1 and id = $2`,
		a.TenantID, f.ID, f.Label, nonNil(f.Options), doc, f.DeletedAt, k.Now().UTC())
	return err
}

func computesAnew(old, f *CustomField) bool {
	if old.Formula != f.Formula || old.Result != f.Result {
		return true
	}
	a, b := old.RollUp, f.RollUp
	return a != nil && b != nil && (a.Object != b.Object || a.Relation != b.Relation || a.Function != b.Function || a.Field != b.Field || string(a.Filter) != string(b.Filter))
}

// checkRecords counts the living records that new rules would find broken.
func (k *Kernel) checkRecords(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, old, f *CustomField) error {
	field, err := f.field()
	if err != nil {
		return err
	}
	if f.Required && !old.Required {
		if err := k.countBroken(ctx, tx, a, o, field, "required", Filter{}); err != nil {
			return err
		}
	}
	if len(f.RequiredWhen) > 0 && string(f.RequiredWhen) != string(old.RequiredWhen) {
		set, err := k.loadCustom(ctx)
		if err != nil {
			return err
		}
		cond, err := parseCondition(set.definition(o), f.RequiredWhen, k.Now())
		if err != nil {
			return asInvalid(err)
		}
		if err := k.countBroken(ctx, tx, a, o, field, "required_when", cond); err != nil {
			return err
		}
	}
	narrower := f.Min != old.Min || f.Max != old.Max || f.Pattern != old.Pattern || !slices.Equal(f.Options, old.Options)
	if kept := (f.Unique || f.Indexed) && !old.Unique && !old.Indexed; (kept || narrower) && !field.Computed() {
		if err := k.countRefused(ctx, tx, a, o, field); err != nil {
			return err
		}
	}
	if f.Unique && !old.Unique {
		return k.countDouble(ctx, tx, a, o, field)
	}
	return nil
}

func broken(n int64, rule, why string, f *Field) error {
	if n == 0 {
		return nil
	}
	e := errs.New(errs.Conflict, "records_break_rule", "%d records %s %s. Change them first, then set the rule.", n, why, f.Label)
	e.Fields = []errs.FieldError{{Field: rule, Code: "records_break_rule", Message: e.Message}}
	e.Data = map[string]any{"violations": n}
	return e
}

func (k *Kernel) countBroken(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, f *Field, rule string, cond Filter) error {
	b := &sqlBuilder{actor: a}
	where := fmt.Sprintf("t.tenant_id = %s and t.deleted_at is null and t.custom->>%s is null", b.arg(a.TenantID), b.arg(f.Name))
	more, err := b.where(cond, "t")
	if err != nil {
		return err
	}
	where += " and " + more
	var n int64
	if err := tx.QueryRow(ctx, "select count(*) from "+o.Def.Table+" t where "+where, b.args...).Scan(&n); err != nil {
		return err
	}
	return broken(n, rule, "have no", f)
}

// countRefused reads every value the way input would be read.
func (k *Kernel) countRefused(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, f *Field) error {
	rows, err := tx.Query(ctx, "select t.custom->$2::text from "+o.Def.Table+" t where t.tenant_id = $1 and t.deleted_at is null and t.custom->>$2::text is not null", a.TenantID, f.Name)
	if err != nil {
		return err
	}
	defer rows.Close()
	var n int64
	buf := make([]cell, 0, 1)
	for rows.Next() {
		buf = cells(rows, buf)
		v, err := f.Type.Parse(f, jsonType{"json"}.Scan(buf))
		if err == nil {
			err = f.checkKept(v)
		}
		if err != nil {
			n++
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return broken(n, "rules", "hold another value in", f)
}

func (k *Kernel) countDouble(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, f *Field) error {
	var n int64
	err := tx.QueryRow(ctx, `select coalesce(sum(n), 0)::bigint from (select count(*) n from `+o.Def.Table+` t
	  where t.tenant_id = $1 and t.deleted_at is null and t.custom->>$2::text is not null group by t.custom->>$2::text having count(*) > 1) d`, a.TenantID, f.Name).Scan(&n)
	if err != nil {
		return err
	}
	return broken(n, "unique", "share a value of", f)
}

// HideCustomField puts a field into the bin: it is gone from pages, API and rules, its
// values stay and its name stays taken, until it is restored or purged.
func (k *Kernel) HideCustomField(ctx context.Context, fid uuid.UUID) error {
	return k.binField(ctx, fid, "deleted", func(ctx context.Context, tx pgx.Tx, a *auth.Actor, set *customSet, f *CustomField) error {
		if f.DeletedAt != nil {
			return nil
		}
		now := k.Now().UTC()
		f.DeletedAt = &now
		if reader, err := k.checkSet(set.with(f)); err != nil {
			return errs.New(errs.Conflict, "in_use", "%s still needs %s. Change it first.", reader, f.Label)
		}
		if err := k.forgetKept(ctx, tx, a, f); err != nil {
			return err
		}
		return k.storeField(ctx, tx, a, f)
	})
}

// RestoreCustomField brings a hidden field back with its values.
func (k *Kernel) RestoreCustomField(ctx context.Context, fid uuid.UUID) error {
	return k.binField(ctx, fid, "restored", func(ctx context.Context, tx pgx.Tx, a *auth.Actor, set *customSet, f *CustomField) error {
		if f.DeletedAt == nil {
			return nil
		}
		f.DeletedAt = nil
		if _, err := k.checkSet(set.with(f)); err != nil {
			return errs.New(errs.Conflict, "cannot_restore", "%s no longer fits the other fields: %s", f.Label, errs.As(err).Message)
		}
		if err := k.storeField(ctx, tx, a, f); err != nil {
			return err
		}
		o, ok := k.objectIn(set, f.Object)
		if !ok {
			return errNoField()
		}
		return k.fill(ctx, tx, a, o, f)
	})
}

// PurgeCustomField removes a hidden field and every value of it, for good.
func (k *Kernel) PurgeCustomField(ctx context.Context, fid uuid.UUID) error {
	return k.binField(ctx, fid, "purged", func(ctx context.Context, tx pgx.Tx, a *auth.Actor, set *customSet, f *CustomField) error {
		if f.DeletedAt == nil {
			return errs.New(errs.Conflict, "not_hidden", "%s is in use. Delete it first, then purge it.", f.Label)
		}
		return k.purgeField(ctx, tx, a, set, f)
	})
}

func (k *Kernel) purgeField(ctx context.Context, tx pgx.Tx, a *auth.Actor, set *customSet, f *CustomField) error {
	if o, ok := k.anyObjectIn(set, f.Object); ok {
		if _, err := tx.Exec(ctx, "update "+o.Def.rowTable()+" set custom = custom - $2::text where tenant_id = $1 and custom->>$2::text is not null"+o.Def.rowsOnly(""), a.TenantID, f.Name); err != nil {
			return err
		}
		if err := k.Touched(ctx, f.Object); err != nil {
			return err
		}
	}
	if err := k.forgetKept(ctx, tx, a, f); err != nil {
		return err
	}
	for _, sql := range []string{"delete from custom_counters where tenant_id = $1 and field_id = $2", "delete from custom_fields where tenant_id = $1 and id = $2"} {
		if _, err := tx.Exec(ctx, sql, a.TenantID, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// PurgeHiddenFields purges the tenant's fields that were hidden thirty days ago; for
// upkeep.
func (k *Kernel) PurgeHiddenFields(ctx context.Context) error {
	fields, err := k.CustomFields(ctx)
	if err != nil {
		return err
	}
	before := k.Now().Add(-keepFor)
	for _, f := range fields {
		if f.DeletedAt != nil && f.DeletedAt.Before(before) {
			err = errors.Join(err, k.PurgeCustomField(ctx, f.ID))
		}
	}
	return err
}

func (k *Kernel) binField(ctx context.Context, fid uuid.UUID, word string, fn func(context.Context, pgx.Tx, *auth.Actor, *customSet, *CustomField) error) error {
	if _, _, err := auth.Require(ctx, "custom_field", auth.Delete); err != nil {
		return err
	}
	return k.defining(ctx, func(ctx context.Context, tx pgx.Tx, a *auth.Actor) error {
		set, err := k.loadCustom(ctx)
		if err != nil {
			return err
		}
		f, err := set.byID(fid)
		if err != nil {
			return err
		}
		if err := fn(ctx, tx, a, set, f); err != nil {
			return err
		}
		_, err = k.Emit(ctx, tx, "custom_field", f.ID, word, f.journal())
		return err
	})
}

// with is the set with f in place of its former row.
func (c *customSet) with(f *CustomField) *customSet {
	out := c.alike(slices.Clone(c.Rows))
	for i := range out.Rows {
		if out.Rows[i].ID == f.ID {
			out.Rows[i] = *f
		}
	}
	return out
}

func (k *Kernel) forgetKept(ctx context.Context, tx pgx.Tx, a *auth.Actor, f *CustomField) error {
	for _, table := range []string{"custom_values", "custom_uniques"} {
		if _, err := tx.Exec(ctx, "delete from "+table+" where tenant_id = $1 and field_id = $2", a.TenantID, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// rekeep writes the narrow tables of a field anew, from every record.
func (k *Kernel) rekeep(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, f *CustomField) error {
	if err := k.forgetKept(ctx, tx, a, f); err != nil {
		return err
	}
	field, err := f.field()
	if err != nil {
		return err
	}
	if field.Indexed && field.keptColumn() != "" {
		if _, err := tx.Exec(ctx, field.keepSQL(o.Def.Table, ""), a.TenantID, f.ID, f.Name); err != nil {
			return err
		}
	}
	if !field.Unique {
		return nil
	}
	var living, took int64
	err = tx.QueryRow(ctx, "select count(*) from "+o.Def.Table+" t where t.tenant_id = $1 and t.deleted_at is null and t.custom->>$2::text is not null", a.TenantID, f.Name).Scan(&living)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, field.claimSQL(o.Def.Table, ""), a.TenantID, f.ID, f.Name)
	if took = tag.RowsAffected(); err == nil && took < living {
		err = broken(living-took, "unique", "share a value of", field)
	}
	return err
}

// recomputeNow is up to how many records are computed while the definition changes;
// more is left to a job.
const recomputeNow = 20_000

const recomputePage = 1000

// fill gives existing records the values of a field that the product sets, and the
// narrow tables theirs.
func (k *Kernel) fill(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, f *CustomField) error {
	switch f.Type {
	case "auto_number":
		if err := k.numberAll(ctx, tx, a, o, f); err != nil {
			return err
		}
	case "formula", "roll_up":
		return k.recompute(ctx, tx, a, o)
	}
	return k.rekeep(ctx, tx, a, o, f)
}

// numberAll numbers the records that have no number yet, oldest first.
func (k *Kernel) numberAll(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, f *CustomField) error {
	field, err := f.field()
	if err != nil {
		return err
	}
	var n int64
	err = tx.QueryRow(ctx, "select count(*) from "+o.Def.Table+" t where t.tenant_id = $1 and t.custom->>$2::text is null", a.TenantID, f.Name).Scan(&n)
	if err != nil || n == 0 {
		return err
	}
	last, err := takeNumbers(ctx, tx, a.TenantID, field, n)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update `+o.Def.rowTable()+` t set custom = t.custom || jsonb_build_object($2::text, $3::text || lpad(n.n::text, greatest(length(n.n::text), $4::int), '0'))
	  from (select id, $5::bigint + row_number() over (order by created_at, id) as n from `+o.Def.Table+` s where tenant_id = $1 and custom->>$2::text is null) n
	  where t.tenant_id = $1 and t.id = n.id`+o.Def.rowsOnly("t."), a.TenantID, f.Name, f.AutoNumber.Prefix, f.AutoNumber.Digits, last-n)
	return err
}

// recompute works out the roll-ups and formulas of every record of an object, now
// when they are few, else in a job.
func (k *Kernel) recompute(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object) error {
	var n int64
	if err := tx.QueryRow(ctx, "select count(*) from (select 1 from "+o.Def.Table+" s where tenant_id = $1 limit $2) t", a.TenantID, recomputeNow+1).Scan(&n); err != nil {
		return err
	}
	if n > recomputeNow && k.Later != nil {
		return k.recomputeLater(ctx, tx, a, o)
	}
	after := uuid.Nil
	for {
		next, done, err := k.recomputeSome(ctx, tx, a, o, after)
		if err != nil {
			return err
		}
		if done {
			return k.recomputed(ctx, tx, a, o)
		}
		after = next
	}
}

func (k *Kernel) recomputeLater(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object) error {
	_, err := tx.Exec(ctx, `insert into custom_recomputes (tenant_id, object, after_id) values ($1, $2, $3)
	  on conflict on constraint custom_recomputes_pkey do update set after_id = excluded.after_id`, a.TenantID, o.Def.Name, uuid.Nil)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update custom_fields set settings = settings || '{"pending":true}' where tenant_id = $1 and object = $2 and type in ('formula', 'roll_up')`, a.TenantID, o.Def.Name)
	if err != nil {
		return err
	}
	return k.Later(ctx, tx, a.TenantID, o.Def.Name)
}

// recomputeSome does the next page in id order; done when there is none.
func (k *Kernel) recomputeSome(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object, after uuid.UUID) (last uuid.UUID, done bool, err error) {
	set, err := k.customSet(ctx)
	if err != nil {
		return after, false, err
	}
	rows, err := tx.Query(ctx, "select id from "+o.Def.Table+" t where tenant_id = $1 and id > $2 order by id limit $3", a.TenantID, after, recomputePage)
	if err != nil {
		return after, false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return after, true, err
	}
	last = ids[len(ids)-1]
	re := &refresh{k: k, actor: a, set: set, object: o, all: true}
	for _, r := range k.allRollUps(set) {
		if r.parent.Def.Name == o.Def.Name {
			re.rollUps = append(re.rollUps, r)
		}
	}
	_, err = re.run(ctx, tx, ids)
	return last, false, err
}

// recomputed puts the narrow tables right and passes the news on to records that roll
// computed values of these up.
func (k *Kernel) recomputed(ctx context.Context, tx pgx.Tx, a *auth.Actor, o *Object) error {
	set, err := k.loadCustom(ctx)
	if err != nil {
		return err
	}
	for i := range set.Rows {
		f := &set.Rows[i]
		if f.Object != o.Def.Name || f.DeletedAt != nil || (f.Type != "formula" && f.Type != "roll_up") {
			continue
		}
		if err := k.rekeep(ctx, tx, a, o, f); err != nil {
			return err
		}
	}
	for _, parent := range k.objectsIn(set) {
		reads := slices.ContainsFunc(k.rollUpsOver(set, o.Def.Name), func(r *rollUp) bool {
			return r.parent.Def.Name == parent.Def.Name && slices.ContainsFunc(r.watched, func(n string) bool {
				f := r.child.computedField(set, n)
				return f != nil
			})
		})
		if reads {
			if err := k.recompute(ctx, tx, a, parent); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *Object) computedField(set *customSet, name string) *Field {
	if !strings.HasPrefix(name, "custom.") {
		return nil
	}
	if f, ok := set.definition(o).byName[name]; ok && f.Computed() {
		return f
	}
	return nil
}

// Recompute goes on with the values of an object that a changed definition left to a
// job, for about the budget; done reports whether it came to the end.
func (k *Kernel) Recompute(ctx context.Context, object string, budget time.Duration) (done bool, err error) {
	o, ok := k.ObjectFor(ctx, object)
	if !ok {
		return true, nil
	}
	for end := k.Now().Add(budget); !done && err == nil; {
		err = k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			done, err = k.recomputeStep(ctx, tx, o)
			return err
		})
		if !k.Now().Before(end) {
			break
		}
	}
	if done && err == nil {
		err = k.recomputeDone(ctx, o)
	}
	return done, err
}

func (k *Kernel) recomputeStep(ctx context.Context, tx pgx.Tx, o *Object) (done bool, err error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return false, err
	}
	def, err := k.wholeDefinition(ctx, o.Def.Name)
	if err != nil {
		return false, err
	}
	b := &pgx.Batch{}
	k.queueGuard(ctx, b, a.TenantID, def)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return false, err
	}
	var after uuid.UUID
	err = tx.QueryRow(ctx, `select after_id from custom_recomputes where tenant_id = $1 and object = $2 for update`, a.TenantID, o.Def.Name).Scan(&after)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	last, done, err := k.recomputeSome(ctx, tx, a, o, after)
	if err != nil {
		return false, err
	}
	if !done {
		_, err = tx.Exec(ctx, `update custom_recomputes set after_id = $3 where tenant_id = $1 and object = $2`, a.TenantID, o.Def.Name, last)
		return false, err
	}
	return true, nil
}

// recomputeDone marks the fields whole again. It changes the definitions, so that
// filters may use the narrow tables from now on.
func (k *Kernel) recomputeDone(ctx context.Context, o *Object) error {
	return k.defining(ctx, func(ctx context.Context, tx pgx.Tx, a *auth.Actor) error {
		if _, err := tx.Exec(ctx, `delete from custom_recomputes where tenant_id = $1 and object = $2`, a.TenantID, o.Def.Name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update custom_fields set settings = settings - 'pending' where tenant_id = $1 and object = $2`, a.TenantID, o.Def.Name); err != nil {
			return err
		}
		return k.recomputed(ctx, tx, a, o)
	})
}
