package importing

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// resolveStages brings pipeline, stage, status and close date of deals into
// agreement: the stage decides whether a deal is open, and the day in the file is
// when it was closed or when that is expected.
func (at *attempt) resolveStages(ctx context.Context) error {
	if _, staged := at.def.Field("stage_id"); !staged {
		return nil
	}
	book, err := loadStages(ctx, at.tx, at.k)
	if err != nil || book == nil {
		return err
	}
	at.book, at.pipes = book, map[int]uuid.UUID{}
	for i := range at.drafts {
		if at.errs[i] != nil || at.drafts[i].blank {
			continue
		}
		if err := at.resolveStage(ctx, i); err != nil {
			if errs.As(err) == nil {
				return err
			}
			at.errs[i] = err
		}
	}
	return nil
}

func (at *attempt) resolveStage(ctx context.Context, i int) error {
	d, p := at.drafts[i], at.patches[i]
	pipe, err := at.findPipeline(ctx, d)
	if err != nil {
		return err
	}
	st, err := at.findStage(ctx, d, pipe)
	if err != nil {
		return err
	}
	st, err = at.heedStatus(d, pipe, st)
	if err != nil {
		return err
	}
	if st != nil {
		at.enter(p, st)
	}
	if pipe != uuid.Nil {
		at.pipes[i] = pipe
	}
	at.setCloseDate(d, p, st)
	return nil
}

func (at *attempt) enter(p record.Patch, st *stage) {
	p["stage_id"], p["pipeline_id"] = st.id, st.pipeline
	at.setStatus(p, st.kind)
}

// newDeal fills what a deal cannot be without: the first open stage, and a name.
func (at *attempt) newDeal(i int) {
	p := at.patches[i]
	if at.book == nil {
		return
	}
	if _, set := p["stage_id"]; !set {
		if st := at.book.end(at.pipes[i], "open"); st != nil {
			at.enter(p, st)
		}
	}
	at.nameDeal(at.drafts[i], p)
}

func (d *draft) ref(object string) (ref, bool) {
	for _, r := range d.refs {
		if r.object() == object {
			return r, true
		}
	}
	return ref{}, false
}

func (at *attempt) findPipeline(ctx context.Context, d *draft) (uuid.UUID, error) {
	r, ok := d.ref("pipeline")
	if !ok {
		return uuid.Nil, nil
	}
	if u := at.book.pipeline(r.text); u != uuid.Nil {
		return u, nil
	}
	if at.imp.CreateFields {
		u, err := at.makePipeline(ctx, r.text)
		if err != nil || u != uuid.Nil {
			return u, err
		}
	}
	return uuid.Nil, at.unknown(r, "pipeline")
}

func (at *attempt) findStage(ctx context.Context, d *draft, pipe uuid.UUID) (*stage, error) {
	r, ok := d.ref("stage")
	if !ok {
		return nil, nil
	}
	if st := at.book.stage(pipe, r.text); st != nil {
		return st, nil
	}
	if pipe == uuid.Nil {
		pipe = at.book.defaultPipeline()
	}
	if at.imp.CreateFields && pipe != uuid.Nil {
		st, err := at.makeStage(ctx, pipe, r.text)
		if err != nil || st != nil {
			return st, err
		}
	}
	return nil, at.unknown(r, "stage")
}

// unknown warns about a guess and refuses what was asked for.
func (at *attempt) unknown(r ref, object string) error {
	if r.col.lenient() {
		at.warn(warning(r.col.target.name, "unknown_"+object, "There is no %s %q; the default was taken.", object, short(r.text)))
		return nil
	}
	return errs.Field(r.col.Field, "unknown_"+object, "There is no %s %q.", object, short(r.text))
}

func (at *attempt) makePipeline(ctx context.Context, name string) (uuid.UUID, error) {
	o, _ := at.k.Object("pipeline")
	u := id.New()
	results, err := at.apply(ctx, o, []record.Operation{{Kind: record.OpCreate, ID: u, Patch: record.Patch{"name": record.CleanText(name)}}})
	if err != nil || results[0].Err != nil {
		return uuid.Nil, err
	}
	// The pipeline's own rules may have given it stages.
	if at.book, err = loadStages(ctx, at.tx, at.k); err != nil {
		return uuid.Nil, err
	}
	return u, nil
}

func (at *attempt) makeStage(ctx context.Context, pipe uuid.UUID, name string) (*stage, error) {
	o, _ := at.k.Object("stage")
	st := at.book.newStage(pipe, record.CleanText(name))
	results, err := at.apply(ctx, o, []record.Operation{{Kind: record.OpCreate, ID: st.id, Patch: record.Patch{
		"name": st.name, "pipeline_id": pipe, "position": st.position, "probability": stageProbability[st.kind], "kind": st.kind,
	}}})
	if err != nil || results[0].Err != nil {
		return nil, err
	}
	at.book.stages = append(at.book.stages, st)
	return &at.book.stages[len(at.book.stages)-1], nil
}

// heedStatus lets a status column close a deal whose stage is the last open one, as
// Pipedrive keeps it.
func (at *attempt) heedStatus(d *draft, pipe uuid.UUID, st *stage) (*stage, error) {
	switch {
	case d.status == "" || d.status == "open":
		return st, nil
	case d.status != "won" && d.status != "lost":
		return nil, errs.Field("status", "not_an_option", "status of a deal is open, won or lost, not %q.", short(d.status))
	case st != nil && st.kind == d.status:
		return st, nil
	}
	if st != nil {
		pipe = st.pipeline
	}
	return at.book.end(pipe, d.status), nil
}

// setStatus fills a status that input may set; where the deal's own rules derive it
// from the stage it is left to them.
func (at *attempt) setStatus(p record.Patch, kind string) {
	f, ok := at.def.Field("status")
	if _, set := p["status"]; ok && !set && (!f.ReadOnly || f.History) {
		p["status"] = kind
	}
}

func (at *attempt) setCloseDate(d *draft, p record.Patch, st *stage) {
	if d.closeDate.IsZero() {
		return
	}
	closed := st != nil && st.kind != "open"
	if closed {
		at.setTime(p, "closed_at", d.closeDate)
	}
	at.setTime(p, "expected_close_date", midnight(d.closeDate))
}

func (at *attempt) setTime(p record.Patch, name string, t time.Time) {
	f, ok := at.def.Field(name)
	if _, set := p[name]; ok && !set && (!f.ReadOnly || f.History) {
		p[name] = t
	}
}

// nameDeal names a deal after its company and product when the file has no names.
func (at *attempt) nameDeal(d *draft, p record.Patch) {
	f, ok := at.def.Field("name")
	if !ok || !f.Required || p["name"] != nil {
		return
	}
	var parts []string
	for _, object := range []string{"account", "product"} {
		if r, ok := d.ref(object); ok {
			parts = append(parts, r.text)
		}
	}
	ext, _ := p["external_id"].(string)
	if len(parts) < 2 && ext != "" {
		parts = append(parts, ext)
	}
	if len(parts) > 0 {
		p["name"] = short(strings.Join(parts, " – "))
	}
}
