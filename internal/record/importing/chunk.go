package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

var (
	// errNotOurs: the import was cancelled, or somebody else has gone on with it.
	errNotOurs = errors.New("import is not ours any more")
	// errDry takes back what a dry run wrote.
	errDry = errors.New("dry run")
)

// tally counts the fates of a chunk's rows.
type tally struct{ created, updated, skipped, failed int64 }

// take brings one chunk in: records, refused rows, counters and checkpoint in one
// transaction. In a dry run the records are taken back and the counters stay.
func (r *run) take(ctx context.Context, c *chunk, began time.Time) error {
	var at *attempt
	try := func(ctx context.Context, tx pgx.Tx) error {
		at = r.attempt(tx, c)
		if err := r.lock(ctx, tx, c.from); err != nil {
			return err
		}
		if err := at.write(ctx); err != nil {
			return err
		}
		if r.imp.DryRun {
			if err := at.diff(ctx); err != nil {
				return err
			}
			return errDry
		}
		return at.save(ctx, tx, c, r.Now().Sub(began))
	}
	err := r.k.DB.Tx(ctx, try)
	if errors.Is(err, errDry) {
		err = r.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if err := r.lock(ctx, tx, c.from); err != nil {
				return err
			}
			at.links = nil
			return at.save(ctx, tx, c, r.Now().Sub(began))
		})
	}
	if err != nil {
		return err
	}
	if list := at.sampled(); list != nil {
		r.imp.Sample = list
	}
	r.imp.offset, r.imp.Read, r.imp.Warnings, r.imp.Objects = c.next, r.imp.Read+int64(len(c.drafts)), at.warned, at.objects
	if !r.imp.DryRun {
		for object, answers := range at.answers {
			if l := r.lookups[object]; l != nil {
				l.remember(answers)
			}
		}
	}
	return nil
}

// attempt begins a try at a chunk with copies of what it may change.
func (r *run) attempt(tx pgx.Tx, c *chunk) *attempt {
	at := &attempt{run: r, tx: tx, drafts: c.drafts, warned: slices.Clone(r.imp.Warnings)}
	at.ids, at.seats, at.objects = make([]uuid.UUID, len(c.drafts)), map[string]map[int]uuid.UUID{}, map[string]*Counts{}
	for name, c := range r.imp.Objects {
		was := *c
		at.objects[name] = &was
	}
	at.patches = make([]record.Patch, len(c.drafts))
	at.errs = make([]error, len(c.drafts))
	for i, d := range c.drafts {
		at.errs[i] = d.err
		at.patches[i] = d.patch
		if r.fills {
			at.patches[i] = maps.Clone(d.patch)
		}
	}
	return at
}

// lock holds the import for this transaction and makes sure that it is where we
// think it is.
func (r *run) lock(ctx context.Context, tx pgx.Tx, offset int64) error {
	var state State
	var at, read int64
	err := tx.QueryRow(ctx, sqlLock, auth.From(ctx).TenantID, r.imp.ID).Scan(&state, &at, &read)
	if err != nil {
		return fmt.Errorf("lock import: %w", err)
	}
	if state != Running || at != offset || read != r.imp.Read {
		return errNotOurs
	}
	return nil
}

// write turns drafts into records, in file order. Rows that mean the same record go
// into different saves, so that the later one sees what the earlier one did.
func (at *attempt) write(ctx context.Context) error {
	if err := at.resolve(ctx); err != nil {
		return err
	}
	if err := at.gather(ctx); err != nil {
		return err
	}
	if err := at.recallGuests(ctx); err != nil {
		return err
	}
	if err := at.host(ctx, true); err != nil {
		return err
	}
	if err := at.writeRows(ctx); err != nil {
		return err
	}
	if err := at.host(ctx, false); err != nil {
		return err
	}
	for _, err := range at.errs {
		if err != nil {
			at.tally.failed++
		}
	}
	return nil
}

// writeRows saves the main records.
func (at *attempt) writeRows(ctx context.Context) error {
	var segment []int
	taken := map[string]bool{}
	for i, d := range at.drafts {
		switch {
		case d.blank:
			at.tally.skipped++
			continue
		case at.errs[i] != nil:
			continue
		}
		marks := at.marks(i)
		if slices.ContainsFunc(marks, func(m string) bool { return taken[m] }) {
			if err := at.writeSegment(ctx, segment); err != nil {
				return err
			}
			segment, taken = segment[:0], map[string]bool{}
		}
		for _, m := range marks {
			taken[m] = true
		}
		segment = append(segment, i)
	}
	return at.writeSegment(ctx, segment)
}

// marks are the key and the unique values of a row.
func (at *attempt) marks(i int) []string {
	var out []string
	if v := at.keyValue(i); v != nil {
		out = append(out, at.key.Name+":"+at.key.Type.Text(v))
	}
	for _, f := range at.uniques {
		if v := at.patches[i][f.Name]; v != nil {
			out = append(out, f.Name+":"+f.Type.Text(v))
		}
	}
	return out
}

// keyValue is what finds the record of a row; nil when the row has nothing to find
// it by.
func (at *attempt) keyValue(i int) any {
	switch {
	case at.key == nil:
		return nil
	case at.key.Name == "id":
		if at.drafts[i].id == uuid.Nil {
			return nil
		}
		return at.drafts[i].id
	}
	return at.patches[i][at.key.Name]
}

// writeSegment saves rows that mean different records.
func (at *attempt) writeSegment(ctx context.Context, segment []int) error {
	if len(segment) == 0 {
		return nil
	}
	existing, err := at.existing(ctx, at.key, segment, at.keyValue)
	if err != nil {
		return err
	}
	var ops []record.Operation
	var rows []int
	for _, i := range segment {
		op, ok := at.operation(i, existing[i])
		if !ok {
			continue
		}
		ops, rows = append(ops, op), append(rows, i)
	}
	if ops, rows, err = at.dropDoubles(ctx, ops, rows); err != nil {
		return err
	}
	if err := at.mergeParts(ctx, ops, rows); err != nil {
		return err
	}
	results, err := at.apply(ctx, at.object, ops)
	if err != nil {
		return err
	}
	at.count(ops, rows, results)
	return nil
}

// operation decides by the mode; ok is false for a row that is skipped or refused.
func (at *attempt) operation(i int, existing uuid.UUID) (record.Operation, bool) {
	p := at.patches[i]
	switch {
	case existing != uuid.Nil && at.imp.Mode == Create:
		at.tally.skipped++
		return record.Operation{}, false
	case existing == unwritten:
		at.tally.updated++
		at.note(i, "updated", record.Result{})
		return record.Operation{}, false
	case existing != uuid.Nil:
		return record.Operation{Kind: record.OpUpdate, ID: existing, Patch: at.cleared(i)}, true
	case at.imp.Mode == Update && at.keyValue(i) == nil:
		at.errs[i] = errs.Field(at.imp.Key, "required", "The row has no %s to find its record by.", at.imp.Key)
		return record.Operation{}, false
	case at.imp.Mode == Update:
		at.tally.skipped++
		return record.Operation{}, false
	case at.key != nil && at.key.Name == "id" && at.keyValue(i) != nil:
		at.errs[i] = errs.Field("id", "not_found", "There is no record with this id. Leave id empty to create one.")
		return record.Operation{}, false
	}
	at.newDeal(i)
	at.newUser(i)
	return record.Operation{Kind: record.OpCreate, ID: id.New(), Patch: p}, true
}

// existing finds the visible records that the rows mean.
func (at *attempt) existing(ctx context.Context, f *record.Field, rows []int, value func(int) any) (map[int]uuid.UUID, error) {
	out := map[int]uuid.UUID{}
	byText := map[string]int{}
	if f == nil {
		return out, nil
	}
	for _, i := range rows {
		if v := value(i); v != nil {
			byText[f.Type.Text(v)] = i
		}
	}
	if len(byText) == 0 {
		return out, nil
	}
	a, scope, err := auth.Require(ctx, at.def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	vis, args := seen(a, at.def, scope, []any{a.TenantID, slices.Sorted(maps.Keys(byText))})
	// Where a value is not unique the oldest record is meant, hence the order.
	found, err := at.tx.Query(ctx, fmt.Sprintf("select t.%s::text, t.id from %s t where t.tenant_id = $1 and t.deleted_at is null and t.%s = any($2::text[]::%s[])%s order by t.id desc",
		f.Column, at.def.Table, f.Column, f.Type.Columns()[0], vis), args...)
	if err != nil {
		return nil, err
	}
	var text string
	var u uuid.UUID
	_, err = pgx.ForEachRow(found, []any{&text, &u}, func() error { out[byText[text]] = u; return nil })
	if err != nil {
		return nil, err
	}
	return out, at.existingUnwritten(ctx, f, byText, out)
}

// existingUnwritten adds what earlier chunks of a dry run would have made.
func (at *attempt) existingUnwritten(ctx context.Context, f *record.Field, byText map[string]int, out map[int]uuid.UUID) error {
	var values []string
	for text := range byText {
		values = append(values, f.Name+":"+text)
	}
	before, err := at.marked(ctx, values)
	for text, i := range byText {
		if out[i] == uuid.Nil && before[f.Name+":"+text] {
			out[i] = unwritten
		}
	}
	return err
}

// dropDoubles refuses new records whose unique values exist, before the database
// does: there one of them would cost the whole chunk its speed.
func (at *attempt) dropDoubles(ctx context.Context, ops []record.Operation, rows []int) ([]record.Operation, []int, error) {
	for _, f := range at.uniques {
		var fresh []int
		for n, op := range ops {
			if op.Kind == record.OpCreate {
				fresh = append(fresh, rows[n])
			}
		}
		hits, err := at.existing(ctx, f, fresh, func(i int) any { return at.patches[i][f.Name] })
		if err != nil {
			return nil, nil, err
		}
		for i := range hits {
			n := slices.Index(rows, i)
			at.errs[i] = errs.Field(f.Name, "not_unique", "Another record already has this %s.", f.Label)
			ops, rows = slices.Delete(ops, n, n+1), slices.Delete(rows, n, n+1)
		}
	}
	return ops, rows, nil
}

// mergeParts keeps the street of an address of which the file only has the city.
func (at *attempt) mergeParts(ctx context.Context, ops []record.Operation, rows []int) error {
	var names []string
	for _, c := range at.columns {
		if c.target.kind == part && !slices.Contains(names, c.target.name) {
			names = append(names, c.target.name)
		}
	}
	var ids []uuid.UUID
	for _, op := range ops {
		if op.Kind == record.OpUpdate {
			ids = append(ids, op.ID)
		}
	}
	if len(names) == 0 || len(ids) == 0 {
		return nil
	}
	have, err := at.object.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	for n, op := range ops {
		old := have[op.ID]
		if op.Kind != record.OpUpdate || old == nil {
			continue
		}
		ops[n].Patch = maps.Clone(op.Patch)
		for _, name := range names {
			mergePart(ops[n].Patch, name, old)
		}
		at.clearParts(rows[n], ops[n].Patch, old)
	}
	return nil
}

func mergePart(p record.Patch, name string, old *record.Record) {
	was, _ := old.Get(name).(map[string]any)
	now, _ := p[name].(map[string]any)
	if was == nil || now == nil {
		return
	}
	merged := maps.Clone(was)
	maps.Copy(merged, now)
	p[name] = merged
}

// count books the results.
func (at *attempt) count(ops []record.Operation, rows []int, results []record.Result) {
	for n, res := range results {
		i := rows[n]
		switch {
		case res.Err != nil:
			at.errs[i] = res.Err
		case res.Created:
			at.tally.created++
			at.note(i, "created", res)
			if at.imp.DryRun {
				at.fresh = append(at.fresh, at.marks(i)...)
			}
		case res.Seq != 0:
			at.tally.updated++
			at.note(i, "updated", res)
		default:
			at.tally.skipped++ // the record says so already
		}
		if res.Err != nil {
			continue
		}
		at.ids[i] = res.Record.ID()
		for k := range at.links {
			if at.links[k].draft == i {
				at.links[k].record = res.Record.ID()
			}
		}
	}
}

// apply saves operations of one object, all at once when nothing is wrong with any.
// When one is refused the halves are tried, and theirs, until the refusal stands
// alone: twenty saves instead of a thousand for one bad row among a thousand. A
// failure nobody foresaw is found the same way and costs its row, not the import.
func (at *attempt) apply(ctx context.Context, o *record.Object, ops []record.Operation) ([]record.Result, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	results, err := at.applyInside(ctx, o, ops)
	switch {
	case err == nil || !rowFailure(ctx, err):
		return results, err
	case len(ops) == 1:
		return []record.Result{{Err: err}}, nil
	}
	half := len(ops) / 2
	first, err := at.apply(ctx, o, ops[:half])
	if err != nil {
		return nil, err
	}
	second, err := at.apply(ctx, o, ops[half:])
	return append(first, second...), err
}

// rowFailure tells failures of the data from those of the machinery around it.
func rowFailure(ctx context.Context, err error) bool {
	return ctx.Err() == nil && errs.KindOf(err) != errs.Unavailable && !strings.Contains(err.Error(), "deadlock") && !strings.Contains(err.Error(), "serialize")
}

// applyInside runs in a savepoint of its own, so that a refusal does not end the
// transaction of the chunk.
func (at *attempt) applyInside(ctx context.Context, o *record.Object, ops []record.Operation) (results []record.Result, err error) {
	err = pgx.BeginFunc(ctx, at.tx, func(pgx.Tx) error {
		var err error
		results, err = o.Apply(ctx, at.storable(o, ops), true)
		return err
	})
	return results, err
}

// storable leaves out custom fields that only a dry run knows.
func (at *attempt) storable(o *record.Object, ops []record.Operation) []record.Operation {
	if !at.imp.DryRun || o != at.object {
		return ops
	}
	out := slices.Clone(ops)
	for i := range out {
		out[i].Patch = maps.Clone(out[i].Patch)
		for _, c := range at.imp.Columns {
			if c.How == Made {
				delete(out[i].Patch, c.Field)
			}
		}
	}
	return out
}

// save books the chunk in the imports row.
func (at *attempt) save(ctx context.Context, tx pgx.Tx, c *chunk, took time.Duration) error {
	tenant, t := auth.From(ctx).TenantID, at.tally
	b := &pgx.Batch{}
	at.queueErrors(b, tenant)
	at.queueLinks(b, tenant)
	at.queueMarks(b, tenant)
	b.Queue(sqlProgress, tenant, at.imp.ID, c.next, int64(len(c.drafts)), t.created, t.updated, t.skipped, t.failed, asJSON(orEmpty(at.warned)), max(took.Milliseconds(), 1), asJSON(at.objects), asJSON(at.sampled()))
	return tx.SendBatch(ctx, b).Close()
}

// maxErrorRows is how many refused rows an import keeps; the counter goes on.
const maxErrorRows = 200_000

func (at *attempt) queueErrors(b *pgx.Batch, tenant uuid.UUID) {
	var numbers []int64
	var fields, codes, reasons, raws []string
	for i, err := range at.errs {
		if err == nil {
			continue
		}
		e := reason(err)
		numbers, fields, codes, reasons = append(numbers, at.drafts[i].row), append(fields, e.Field), append(codes, e.Code), append(reasons, e.Message)
		raws = append(raws, string(rawRow(at.drafts[i].raw)))
	}
	if len(numbers) > 0 && at.imp.Failed < maxErrorRows {
		b.Queue(sqlErrors, tenant, at.imp.ID, numbers, fields, codes, reasons, raws)
	}
}

// reason puts all that was wrong with a row into one sentence after another.
func reason(err error) errs.FieldError {
	e := errs.As(err)
	if e == nil {
		return errs.FieldError{Code: "internal", Message: "This row could not be stored."}
	}
	if len(e.Fields) == 0 {
		return errs.FieldError{Code: e.Code, Message: e.Message}
	}
	out := e.Fields[0]
	out.Field = short(out.Field)
	for _, f := range e.Fields[1:] {
		out.Message += " " + f.Message
	}
	return out
}

// maxRawCell is how much of a cell is kept with a refused row.
const maxRawCell = 32 << 10

// rawRow is the row as JSON, in characters the database can hold.
func rawRow(row []string) []byte {
	cells := make([]string, len(row))
	for i, c := range row {
		if len(c) > maxRawCell {
			c = c[:maxRawCell] + "…"
		}
		cells[i] = strings.ReplaceAll(strings.ToValidUTF8(c, ""), "\x00", "")
	}
	b, _ := json.Marshal(cells)
	return b
}

func orEmpty(w []Warning) []Warning {
	if w == nil {
		return []Warning{}
	}
	return w
}
