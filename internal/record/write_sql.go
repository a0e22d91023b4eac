package record

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
)

// write sends rows, journal and search documents in one round trip.
func (o *Object) write(ctx context.Context, tx pgx.Tx, a *auth.Actor, changes []*Change, now time.Time) error {
	b := &pgx.Batch{}
	def := changes[0].New.Def
	o.k.queueGuard(ctx, b, a.TenantID, def)
	doubles := o.queueDoubles(b, a, changes)
	var creates []*Record
	for _, c := range changes {
		if c.Old == nil {
			creates = append(creates, c.New)
		}
	}
	o.queueInserts(b, a.TenantID, creates)
	o.queueUpdates(b, a.TenantID, changes)
	o.queueUniques(b, a.TenantID, def, changes)
	o.queueKept(b, a.TenantID, def, changes)
	rows := o.journalRows(a, changes, now)
	queueJournal(b, rows, func(i int, seq int64) { changes[i].Seq = seq })
	o.queueSearch(b, a.TenantID, changes)
	o.queueRefs(b, a.TenantID, changes)
	o.queueMatchKeys(b, a.TenantID, changes)
	o.queueUnredirect(b, a.TenantID, changes)
	stale := &stale{}
	if !Undoing(ctx) {
		stale = o.queueStale(b, a.TenantID, changes)
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	if err := doubles.refuse(ctx, o, tx, a); err != nil {
		return err
	}
	return stale.err
}

func (o *Object) queueInserts(b *pgx.Batch, tenant uuid.UUID, records []*Record) {
	if len(records) == 0 {
		return
	}
	if len(records) == 1 {
		o.queueInsertOne(b, tenant, records[0])
		return
	}
	in := newColumns(o.Def.rowTable(), tenant)
	if o.Def.only != "" {
		in.add("object", "text", slices.Repeat([]*string{&o.Def.only}, len(records)))
	}
	for n, f := range o.Def.Fields {
		names, typs := f.columns(), f.Type.Columns()
		cols := make([][]*string, len(names))
		for _, r := range records {
			for i, arg := range f.Type.Args(r.Values[n]) {
				cols[i] = append(cols[i], sqlText(arg))
			}
		}
		for i := range names {
			in.add(names[i], typs[i], cols[i])
		}
	}
	in.queue(b, "")
}

func (o *Object) queueInsertOne(b *pgx.Batch, tenant uuid.UUID, r *Record) {
	args := []any{tenant}
	refs := []string{"$1"}
	for i, f := range o.Def.Fields {
		for _, arg := range f.Type.Args(r.Values[i]) {
			args = append(args, arg)
			refs = append(refs, "$"+strconv.Itoa(len(args)))
		}
	}
	names := o.Def.columns
	if o.Def.only != "" {
		args = append(args, o.Def.only)
		names, refs = append(slices.Clone(names), "object"), append(refs, "$"+strconv.Itoa(len(args)))
	}
	b.Queue(fmt.Sprintf("insert into %s (tenant_id, %s) values (%s)", o.Def.rowTable(), strings.Join(names, ", "), strings.Join(refs, ", ")), args...)
}

// queueUpdates writes changes of the same fields (a bulk edit, an undo, an import
// that updates) in one statement: one each would cost a plan and a message per row.
func (o *Object) queueUpdates(b *pgx.Batch, tenant uuid.UUID, changes []*Change) {
	var order []string
	groups := map[string][]*Change{}
	for _, c := range changes {
		if c.Old == nil {
			continue
		}
		key := c.changedPositions()
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], c)
	}
	for _, key := range order {
		if g := groups[key]; len(g) == 1 {
			o.queueUpdate(b, tenant, g[0])
		} else {
			o.queueUpdateMany(b, tenant, g)
		}
	}
}

// changedPositions names the fields that differ, one byte each or more.
func (c *Change) changedPositions() string {
	var key []byte
	for i := range c.New.Values {
		if !Same(c.Old.Values[i], c.New.Values[i]) {
			key = strconv.AppendInt(append(key, ','), int64(i), 10)
		}
	}
	return string(key)
}

// queueUpdateMany updates records whose changes are in the same fields; values
// travel as texts, like those of inserts.
func (o *Object) queueUpdateMany(b *pgx.Batch, tenant uuid.UUID, changes []*Change) {
	ids, versions := make([]uuid.UUID, len(changes)), make([]int64, len(changes))
	for i, c := range changes {
		ids[i], versions[i] = c.New.ID(), c.Old.Version()
	}
	args := []any{tenant, ids, versions}
	var sets, arrays, aliases []string
	for n, f := range o.Def.Fields {
		if Same(changes[0].Old.Values[n], changes[0].New.Values[n]) {
			continue
		}
		names, types := f.columns(), f.Type.Columns()
		cols := make([][]*string, len(names))
		for _, c := range changes {
			for i, arg := range f.Type.Args(c.New.Values[n]) {
				cols[i] = append(cols[i], sqlText(arg))
			}
		}
		for i := range names {
			args = append(args, cols[i])
			alias := "c" + strconv.Itoa(len(args))
			aliases, arrays = append(aliases, alias), append(arrays, fmt.Sprintf("$%d::text[]", len(args)))
			sets = append(sets, names[i]+" = u."+alias+"::"+types[i])
		}
	}
	sql := fmt.Sprintf("update %s t set %s from unnest($2::uuid[], $3::bigint[], %s) as u(id, version, %s) where t.tenant_id = $1 and t.id = u.id and t.version = u.version%s",
		o.Def.rowTable(), strings.Join(sets, ", "), strings.Join(arrays, ", "), strings.Join(aliases, ", "), o.Def.rowsOnly("t."))
	b.Queue(sql, args...).Exec(func(ct commandTag) error {
		if ct.RowsAffected() != int64(len(changes)) {
			return errLost
		}
		return nil
	})
}

// queueUpdate writes only the columns that changed, guarded by the version that
// was locked.
func (o *Object) queueUpdate(b *pgx.Batch, tenant uuid.UUID, c *Change) {
	args := []any{tenant, c.New.ID(), c.Old.Version()}
	var sets []string
	for i, f := range o.Def.Fields {
		if Same(c.Old.Values[i], c.New.Values[i]) {
			continue
		}
		names := f.columns()
		for n, arg := range f.Type.Args(c.New.Values[i]) {
			args = append(args, arg)
			sets = append(sets, names[n]+" = $"+strconv.Itoa(len(args)))
		}
	}
	sql := fmt.Sprintf("update %s set %s where tenant_id = $1 and id = $2 and version = $3%s", o.Def.rowTable(), strings.Join(sets, ", "), o.Def.rowsOnly(""))
	b.Queue(sql, args...).Exec(func(ct commandTag) error {
		if ct.RowsAffected() != 1 {
			return errLost
		}
		return nil
	})
}

// columns builds "insert … select … from unnest(…)": COPY is refused under row
// level security, and one statement per row would cost a plan per row. Values
// travel as texts and are cast by PostgreSQL. A single row is "values (…)", which
// spares the executor the function scan.
type columns struct {
	table string
	names []string
	casts []string
	args  []any
}

func newColumns(table string, tenant uuid.UUID) *columns {
	return &columns{table: table, args: []any{tenant}}
}

func (c *columns) add(name, sqlType string, values []*string) {
	c.args = append(c.args, values)
	c.names = append(c.names, name)
	c.casts = append(c.casts, sqlType)
}

// queue sends the rows.
func (c *columns) queue(b *pgx.Batch, onConflict string) {
	if len(c.names) > 0 && len(c.args[1].([]*string)) == 1 {
		c.queueOne(b, onConflict)
		return
	}
	var sel, arrays, aliases []string
	for i := range c.names {
		alias := "c" + strconv.Itoa(i)
		aliases = append(aliases, alias)
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", i+2))
		sel = append(sel, "u."+alias+"::"+c.casts[i])
	}
	b.Queue(fmt.Sprintf("insert into %s (tenant_id, %s) select $1, %s from unnest(%s) with ordinality as u(%s, n) order by u.n %s",
		c.table, strings.Join(c.names, ", "), strings.Join(sel, ", "), strings.Join(arrays, ", "), strings.Join(aliases, ", "), onConflict), c.args...)
}

func (c *columns) queueOne(b *pgx.Batch, onConflict string) {
	args, refs := []any{c.args[0]}, []string{"$1"}
	for i, cast := range c.casts {
		args = append(args, c.args[i+1].([]*string)[0])
		refs = append(refs, "$"+strconv.Itoa(i+2)+"::text::"+cast)
	}
	b.Queue(fmt.Sprintf("insert into %s (tenant_id, %s) values (%s) %s", c.table, strings.Join(c.names, ", "), strings.Join(refs, ", "), onConflict), args...)
}

// sqlText is an argument in PostgreSQL's text form; nil is null.
func sqlText(arg any) *string {
	var s string
	switch v := arg.(type) {
	case nil:
		return nil
	case string:
		s = v
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		s = strconv.FormatBool(v)
	case time.Time:
		s = v.UTC().Format("2006-01-02T15:04:05.999999Z")
	case uuid.UUID:
		s = v.String()
	case []string:
		s = arrayLiteral(v)
	default:
		b, _ := json.Marshal(v)
		s = string(b)
	}
	return &s
}

func arrayLiteral(items []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
