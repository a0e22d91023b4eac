package record

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

type commandTag = pgconn.CommandTag

// Entry is one row of the journal: what happened to a record, by whom, when and
// through which surface. Entries are never changed.
type Entry struct {
	Seq       int64
	At        time.Time
	ActorKind string
	ActorID   *uuid.UUID
	ActorName string
	Via       string
	RequestID string
	CauseSeq  *int64
	Depth     int
	BatchID   *uuid.UUID
	Object    string
	RecordID  uuid.UUID
	Action    string
	Changes   map[string][2]any // decoded JSON, numbers as json.Number
	Data      map[string]any
}

// Type is the public name of the event, such as deal.won.
func (e *Entry) Type() string { return e.Object + "." + e.Action }

// bookkeeping fields are told by the journal row itself.
var bookkeeping = []string{"id", "version", "created_at", "created_by", "updated_at", "updated_by"}

// difference lists the changed fields as [old, new] in canonical values; custom
// fields appear one by one.
func difference(old, new *Record) map[string][2]any {
	out := map[string][2]any{}
	for i, f := range new.Def.Fields {
		var before any
		if old != nil {
			before = old.Values[i]
		}
		after := new.Values[i]
		if Same(before, after) || slices.Contains(bookkeeping, f.Name) {
			continue
		}
		if f.Type.Name() == "custom" {
			customDifference(before, after, out)
			continue
		}
		out[f.Name] = [2]any{before, after}
	}
	return out
}

func customDifference(before, after any, out map[string][2]any) {
	b, _ := before.(map[string]any)
	a, _ := after.(map[string]any)
	for k, v := range a {
		if !Same(b[k], v) {
			out["custom."+k] = [2]any{b[k], v}
		}
	}
	for k, v := range b {
		if _, kept := a[k]; !kept {
			out["custom."+k] = [2]any{v, nil}
		}
	}
}

// changesJSON writes the difference; values of hidden fields are masked.
func changesJSON(def *Definition, fields map[string][2]any) string {
	dst := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
		dst = append(dst, ':', '[')
		f := def.byName[name]
		for n, v := range fields[name] {
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = appendJournalValue(dst, f, v)
		}
		dst = append(dst, ']')
	}
	return string(append(dst, '}'))
}

func appendJournalValue(dst []byte, f *Field, v any) []byte {
	switch {
	case v == nil:
		return append(dst, "null"...)
	case f != nil && f.Hidden:
		return append(dst, `"***"`...)
	case f != nil && !f.Custom:
		return f.Type.AppendJSON(dst, v)
	}
	b, _ := json.Marshal(v)
	return append(dst, b...)
}

type journalRow struct {
	entry   Entry
	changes string
	data    string
	tenant  uuid.UUID
}

func (o *Object) journalRows(a *auth.Actor, changes []*Change, now time.Time) []journalRow {
	rows := make([]journalRow, 0, len(changes))
	for _, c := range changes {
		rows = append(rows, newJournalRow(a, now, o.Def.Name, c.New.ID(), c.Action, changesJSON(c.New.Def, c.fields), c.Data))
	}
	return rows
}

func newJournalRow(a *auth.Actor, now time.Time, object string, id uuid.UUID, action, changes string, data map[string]any) journalRow {
	e := Entry{At: now, ActorKind: string(a.Kind), ActorName: a.Name, Via: string(a.Via), RequestID: a.RequestID, Depth: a.Depth, Object: object, RecordID: id, Action: action}
	if a.ID != uuid.Nil {
		e.ActorID = &a.ID
	}
	if a.CauseSeq != 0 {
		e.CauseSeq = &a.CauseSeq
	}
	if a.BatchID != uuid.Nil {
		e.BatchID = &a.BatchID
	}
	row := journalRow{entry: e, changes: changes, tenant: a.TenantID, data: "{}"}
	if len(data) > 0 {
		b, _ := json.Marshal(data)
		row.data = string(b)
	}
	return row
}

const (
	insertJournalOne = `insert into journal (tenant_id, at, actor_kind, actor_id, actor_name, via, request_id, cause_seq, depth, batch_id, object, record_id, action, changes, data)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::text::jsonb, $15::text::jsonb) returning seq`
	insertJournal = `insert into journal (tenant_id, at, actor_kind, actor_id, actor_name, via, request_id, cause_seq, depth, batch_id, object, record_id, action, changes, data)
  select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, u.id, u.action, u.changes::jsonb, u.data::jsonb
  from unnest($12::uuid[], $13::text[], $14::text[], $15::text[]) with ordinality as u(id, action, changes, data, n) order by u.n returning seq`
)

// queueJournal inserts the rows in order; got is told each row's seq.
func queueJournal(b *pgx.Batch, rows []journalRow, got func(i int, seq int64)) {
	if len(rows) == 0 {
		return
	}
	// One save has one actor and moment: only what differs by row travels as arrays.
	n := len(rows)
	ids, actions, changes, datas := make([]uuid.UUID, n), make([]string, n), make([]string, n), make([]string, n)
	for i, r := range rows {
		ids[i], actions[i], changes[i], datas[i] = r.entry.RecordID, r.entry.Action, r.changes, r.data
	}
	e := rows[0].entry
	args := []any{rows[0].tenant, e.At, e.ActorKind, e.ActorID, e.ActorName, e.Via, e.RequestID, e.CauseSeq, e.Depth, e.BatchID, e.Object, ids, actions, changes, datas}
	sql := insertJournal
	if n == 1 { // as with columns
		sql = insertJournalOne
		args = append(args[:11], ids[0], actions[0], changes[0], datas[0])
	}
	b.Queue(sql, args...).Query(func(res pgx.Rows) error {
		seqs, err := pgx.CollectRows(res, pgx.RowTo[int64])
		for i, seq := range seqs {
			got(i, seq)
		}
		return err
	})
}

// Emit writes a happening that changes no field (lead.scored, message.bounced)
// in the transaction of ctx.
func (k *Kernel) Emit(ctx context.Context, tx pgx.Tx, object string, id uuid.UUID, action string, data map[string]any) (int64, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return 0, err
	}
	if err := guardLoop(a); err != nil {
		return 0, err
	}
	b := &pgx.Batch{}
	var seq int64
	row := newJournalRow(a, k.Now().UTC(), object, id, action, "{}", data)
	queueJournal(b, []journalRow{row}, func(_ int, s int64) { seq = s })
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return 0, err
	}
	n := Notice{TenantID: a.TenantID, Object: object, IDs: []uuid.UUID{id}, Action: action}
	if o, ok := k.objects[object]; ok {
		n.Plural = o.Def.Plural
	}
	db.AfterCommit(ctx, func() { k.notify(n) })
	return seq, nil
}

const (
	headColumns  = "j.seq, j.at, j.actor_kind, j.actor_id, j.actor_name, j.via, j.request_id, j.cause_seq, j.depth, j.batch_id, j.object, j.record_id, j.action"
	entryColumns = headColumns + ", j.changes, j.data"
)

// head are the places for headColumns.
func (e *Entry) head() []any {
	return []any{&e.Seq, &e.At, &e.ActorKind, &e.ActorID, &e.ActorName, &e.Via, &e.RequestID, &e.CauseSeq, &e.Depth, &e.BatchID, &e.Object, &e.RecordID, &e.Action}
}

func scanHead(row pgx.CollectableRow) (Entry, error) {
	var e Entry
	err := row.Scan(e.head()...)
	e.At = e.At.UTC()
	return e, err
}

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var e Entry
	var changes, data []byte
	err := row.Scan(append(e.head(), &changes, &data)...)
	if err != nil {
		return e, err
	}
	e.At = e.At.UTC()
	dec := json.NewDecoder(strings.NewReader(string(changes)))
	dec.UseNumber()
	if err := dec.Decode(&e.Changes); err != nil {
		return e, err
	}
	return e, json.Unmarshal(data, &e.Data)
}

// timelineRounds bounds how often a page of a timeline looks on, each time for more
// rows, when what it found is about records the actor may not see.
const timelineRounds = 6

// Timeline returns what happened to a record, to those that were merged into it and
// to the records that name them as far as the actor may see them, newest first,
// before the given seq (0 = from the newest). The caller must have shown that the
// actor may see the record itself.
func (k *Kernel) Timeline(ctx context.Context, object string, id uuid.UUID, before int64, limit int) ([]Entry, error) {
	var out []Entry
	ask := limit
	for range timelineRounds {
		found, err := k.timelineRows(ctx, object, id, before, ask)
		if err != nil {
			return nil, err
		}
		full := len(found) == ask
		if full {
			before = found[len(found)-1].Seq
		}
		if found, err = k.toldOf(ctx, object, found); err != nil {
			return nil, err
		}
		out = append(out, found...)
		if !full || len(out) >= limit {
			break
		}
		ask = min(ask*4, feedWindow)
	}
	return out[:min(len(out), limit)], nil
}

// toldOf are the rows of a timeline that the actor may see: those of the object
// itself, and those about other records that are visible.
func (k *Kernel) toldOf(ctx context.Context, object string, found []Entry) ([]Entry, error) {
	var others []Entry
	for _, e := range found {
		if e.Object != object {
			others = append(others, e)
		}
	}
	visible, err := k.visibleEntries(ctx, others)
	if err != nil {
		return nil, err
	}
	seen := make(map[int64]bool, len(visible))
	for _, e := range visible {
		seen[e.Seq] = true
	}
	out := slices.DeleteFunc(found, func(e Entry) bool { return e.Object != object && !seen[e.Seq] })
	return k.shownEntries(ctx, out)
}

func (k *Kernel) timelineRows(ctx context.Context, object string, id uuid.UUID, before int64, limit int) ([]Entry, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = 1<<63 - 1
	}
	sql := `select ` + entryColumns + ` from (
	  (select seq, at from journal where tenant_id = $1 and object = $2 and record_id = $3 and seq < $4 order by seq desc limit $5)
	  union
	  (select seq, at from journal_refs where tenant_id = $1 and record_id = $3 and seq < $4 order by seq desc limit $5)
	  union
	  (select x.seq, x.at from (` + absorbedIDs + `) m cross join lateral (
	    (select seq, at from journal where tenant_id = $1 and object = $2 and record_id = m.id and seq < $4 order by seq desc limit $5)
	    union
	    (select seq, at from journal_refs where tenant_id = $1 and record_id = m.id and seq < $4 order by seq desc limit $5)
	  ) x order by x.seq desc limit $5)
	) s join journal j on j.tenant_id = $1 and j.seq = s.seq and j.at = s.at order by j.seq desc limit $5`
	return k.entries(ctx, db.Query{SQL: sql, Args: []any{a.TenantID, object, id, before, limit}})
}

func (k *Kernel) entries(ctx context.Context, q db.Query) ([]Entry, error) {
	var out []Entry
	err := k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanEntry)
		return err
	})
	return out, err
}

// queueRefs links the new journal rows to related records. The seqs are not
// known before the batch runs, so the rows are found by record and time.
func (o *Object) queueRefs(b *pgx.Batch, tenant uuid.UUID, changes []*Change) {
	if o.hooks.Refs == nil {
		return
	}
	var records, refs []string
	for _, c := range changes {
		for _, ref := range o.hooks.Refs(c.New) {
			records, refs = append(records, c.New.ID().String()), append(refs, ref.String())
		}
	}
	if len(refs) == 0 {
		return
	}
	b.Queue(`insert into journal_refs (tenant_id, record_id, seq, at)
	  select $1, u.ref::uuid, j.seq, j.at from unnest($2::text[], $3::text[]) as u(rec, ref)
	  join journal j on j.tenant_id = $1 and j.object = $4 and j.record_id = u.rec::uuid and j.xid = pg_current_xact_id()
	  on conflict do nothing`, tenant, records, refs, o.Def.Name)
}
