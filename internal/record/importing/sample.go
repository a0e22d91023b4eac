package importing

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// maxSample is how many of the first rows a dry run shows.
const maxSample = 50

// Sampled is one of the first rows of a dry run and its fate.
type Sampled struct {
	Row      int64             `json:"row"` // number in the file; the heading is 1
	Fate     string            `json:"fate"`
	RecordID *uuid.UUID        `json:"record_id"` // of the record that would change
	Changes  map[string][2]any `json:"changes"`   // field → old, new
	Field    string            `json:"field,omitempty"`
	Reason   string            `json:"reason,omitempty"`
}

// sampling reports whether row i of the chunk is shown.
func (at *attempt) sampling(i int) bool {
	return at.imp.DryRun && at.imp.Read+int64(i) < maxSample
}

// note remembers what became of a row of the sample.
func (at *attempt) note(i int, fate string, res record.Result) {
	if !at.sampling(i) {
		return
	}
	s := Sampled{Row: at.drafts[i].row, Fate: fate, Changes: map[string][2]any{}}
	if res.Record != nil && fate == "updated" {
		u := res.Record.ID()
		s.RecordID = &u
	}
	if at.sample == nil {
		at.sample, at.seqs = map[int]*Sampled{}, map[int64]int{}
	}
	at.sample[i] = &s
	if res.Seq != 0 {
		at.seqs[res.Seq] = i
	}
}

// diff reads what changed from the journal rows that the dry run is about to take back,
// and adds the fields that do not exist yet.
func (at *attempt) diff(ctx context.Context) error {
	if !at.sampling(0) {
		return nil
	}
	var seqs []int64
	for seq := range at.seqs {
		seqs = append(seqs, seq)
	}
	rows, err := at.tx.Query(ctx, `select seq, changes from journal where tenant_id = $1 and batch_id = $2 and seq = any($3)`, auth.From(ctx).TenantID, at.imp.ID, seqs)
	if err != nil {
		return fmt.Errorf("read the sample: %w", err)
	}
	var seq int64
	var raw []byte
	_, err = pgx.ForEachRow(rows, []any{&seq, &raw}, func() error {
		return json.Unmarshal(raw, &at.sample[at.seqs[seq]].Changes)
	})
	if err != nil {
		return fmt.Errorf("read the sample: %w", err)
	}
	for _, s := range at.sample {
		maps.DeleteFunc(s.Changes, func(name string, _ [2]any) bool { return at.def.Narrowed() && !at.def.Has(name) })
	}
	for i, s := range at.sample {
		for _, c := range at.imp.Columns {
			if v := at.patches[i][c.Field]; c.How == Made && v != nil && s.Fate != "skipped" {
				s.Changes[c.Field] = [2]any{nil, v}
			}
		}
	}
	return nil
}

// sampled is the sample so far, in file order; nil when this chunk adds nothing.
func (at *attempt) sampled() []Sampled {
	if !at.sampling(0) {
		return nil
	}
	out := append([]Sampled{}, at.imp.Sample...)
	for i := range at.drafts {
		switch s := at.sample[i]; {
		case !at.sampling(i):
		case at.errs[i] != nil:
			why := reason(at.errs[i])
			out = append(out, Sampled{Row: at.drafts[i].row, Fate: "failed", Changes: map[string][2]any{}, Field: why.Field, Reason: why.Message})
		case s != nil:
			out = append(out, *s)
		default:
			out = append(out, Sampled{Row: at.drafts[i].row, Fate: "skipped", Changes: map[string][2]any{}})
		}
	}
	return out
}
