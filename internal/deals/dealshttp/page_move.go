package dealshttp

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// move answers POST /deals/{id}/move. position is the card's place in the column
// as it is on the screen, counted from 0; without it the deal goes to the top.
func (p *Pages) move(w http.ResponseWriter, r *http.Request) error {
	stage, err := uuid.Parse(r.PostFormValue("stage_id"))
	if err != nil {
		return errs.Field("stage_id", "required", "Say which stage the deal goes to.")
	}
	return p.act(w, r, func(id uuid.UUID, version int64) (*deals.Deal, error) {
		in := deals.MoveInput{StageID: stage, LostReason: r.PostFormValue("lost_reason"), Version: version}
		if at, err := strconv.Atoi(r.PostFormValue("position")); err == nil && at >= 0 {
			if err := p.place(r, &in, id, at); err != nil {
				return nil, err
			}
		}
		return p.s.Move(r.Context(), id, in)
	})
}

// place turns a place on the screen into a neighbour. The screen shows the stage
// through the board's filter, and without the card itself.
func (p *Pages) place(r *http.Request, in *deals.MoveInput, id uuid.UUID, at int) error {
	stage, err := p.s.Stages.Get(r.Context(), in.StageID)
	if err != nil || stage.Kind != deals.Open { // closed columns have no order of their own
		return err
	}
	filter, err := p.boardFilter(r)
	if err != nil {
		return err
	}
	q := record.Query{Prefer: "position", Limit: min(at+2, record.MaxLimit), Filter: record.Filter{All: []record.Filter{p.s.Deals.Where("stage_id", record.Eq, in.StageID), filter}}}
	found, err := p.s.Deals.List(r.Context(), q)
	if err != nil {
		return err
	}
	var others []uuid.UUID
	for _, rec := range found.Records {
		if rec.ID() != id {
			others = append(others, rec.ID())
		}
	}
	switch {
	case at < len(others):
		in.Before = &others[at]
	case len(others) > 0:
		in.After = &others[len(others)-1]
	}
	return nil
}

// boardFilter is the filter of the board the form was sent from.
func (p *Pages) boardFilter(r *http.Request) (record.Filter, error) {
	from, err := url.Parse(page.Back(r, "/"))
	if err != nil {
		return record.Filter{}, nil
	}
	f, err := p.s.Deals.ParseFilter(r.Context(), from.Query(), "from", "pipeline_id")
	if errs.KindOf(err) == errs.Malformed {
		return record.Filter{}, nil // another page's address: no filter
	}
	return f, err
}

func (p *Pages) win(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(id uuid.UUID, version int64) (*deals.Deal, error) { return p.s.Win(r.Context(), id, version) })
}

func (p *Pages) reopen(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(id uuid.UUID, version int64) (*deals.Deal, error) { return p.s.Reopen(r.Context(), id, version) })
}

func (p *Pages) loseForm(w http.ResponseWriter, r *http.Request) error {
	return p.showLose(w, r, http.StatusOK, "")
}

func (p *Pages) showLose(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	rec, err := p.s.Deals.Object.Get(r.Context(), id)
	if err != nil {
		return err
	}
	href := recordpage.Path(r, "deals", id.String())
	body := ui.FormPage{Title: "Mark as lost", Back: &ui.Link{Label: rec.Title(), Href: href}, Form: ui.Form{
		Action: href + "/lose", Submit: "Mark as lost", Busy: "Saving…", Cancel: href, Narrow: true,
		Hidden: []ui.Hidden{{Name: "version", Value: strconv.FormatInt(rec.Version(), 10)}, {Name: "back", Value: href}},
		Groups: []ui.FieldGroup{{Fields: []ui.Field{{Name: "lost_reason", Label: "Why was it lost?", Required: true, Max: 200, Focus: true, Value: r.PostFormValue("lost_reason"), Error: problem, Help: "Reasons are counted in reports, so use the same words again."}}}},
	}}
	return p.pages.Page(w, r, status, recordpage.Head{Title: "Mark as lost · " + rec.Title(), Section: "deals"}, body)
}

func (p *Pages) lose(w http.ResponseWriter, r *http.Request) error {
	if r.PostFormValue("lost_reason") == "" {
		return p.showLose(w, r, http.StatusUnprocessableEntity, "Say why the deal was lost.")
	}
	return p.act(w, r, func(id uuid.UUID, version int64) (*deals.Deal, error) {
		return p.s.Lose(r.Context(), id, r.PostFormValue("lost_reason"), version)
	})
}

// act runs one act and says what it did, with the way back.
func (p *Pages) act(w http.ResponseWriter, r *http.Request, do func(id uuid.UUID, version int64) (*deals.Deal, error)) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64) // unreadable = any
	before, err := p.s.Deals.Get(r.Context(), id)
	if err != nil {
		return err
	}
	d, err := do(id, version)
	if err != nil {
		return err
	}
	seq := int64(0)
	if d.Version != before.Version {
		if seq, err = p.pages.LastChange(r.Context(), "deal", id); err != nil {
			return err
		}
	}
	if page.WantsJSON(r) {
		return rest.JSON(w, http.StatusOK, map[string]any{"ok": true, "seq": seq, "version": d.Version})
	}
	text, err := p.told(r, before, d)
	if err != nil {
		return err
	}
	if seq != 0 {
		p.pages.Site.SetFlash(w, page.Flash{Text: text, Seq: seq})
	}
	return page.SeeOther(w, r, page.Back(r, recordpage.Path(r, "deals")+"?view=board"))
}

func (p *Pages) told(r *http.Request, before, d *deals.Deal) (string, error) {
	switch {
	case d.Status == deals.Won && before.Status != deals.Won:
		return d.Name + " is won.", nil
	case d.Status == deals.Lost && before.Status != deals.Lost:
		return d.Name + " is marked as lost.", nil
	case d.StageID == nil || (before.StageID != nil && *before.StageID == *d.StageID):
		return d.Name + " moved.", nil
	}
	names, err := p.pages.Titles(r.Context(), "stage", []uuid.UUID{*d.StageID})
	if err != nil {
		return "", err
	}
	return d.Name + " moved to " + names[*d.StageID] + ".", nil
}

// extend adds the stage path and the acts to the record page of a deal.
func (p *Pages) extend(r *http.Request, rec *record.Record, out *ui.RecordPage) error {
	d := record.To[deals.Deal](rec)
	if d.PipelineID == nil || auth.From(r.Context()).Grants.Scope("stage", auth.Read) == auth.None {
		return nil
	}
	stages, err := p.s.Stages.Find(r.Context(), record.Query{Limit: record.MaxLimit, Sort: "position", Filter: p.s.Stages.Where("pipeline_id", record.Eq, *d.PipelineID)})
	if err != nil {
		return err
	}
	edits := recordpage.May(auth.From(r.Context()), auth.Update, rec) && !rec.Deleted()
	out.Stage = stagePath(d, stages, out, edits)
	if !edits {
		return nil
	}
	href := recordpage.Path(r, "deals", d.ID.String())
	version := []ui.Hidden{{Name: "version", Value: strconv.FormatInt(d.Version, 10)}, {Name: "back", Value: href}}
	if d.Status != deals.Open {
		out.Primary = &ui.Action{Label: "Reopen", Icon: "refresh-cw", Post: href + "/reopen", Fields: version}
		return nil
	}
	out.Primary = &ui.Action{Label: "Won", Icon: "trophy", Weight: ui.Primary, Post: href + "/win", Fields: version}
	out.Actions = append(out.Actions, ui.Action{Label: "Lost…", Icon: "circle-x", Href: href + "/lose"})
	return nil
}

// stagePath are the open stages in order; winning and losing have buttons of
// their own, because losing asks why.
func stagePath(d *deals.Deal, stages []*deals.Stage, out *ui.RecordPage, edits bool) *ui.StagePath {
	path := &ui.StagePath{Label: "Stage", Version: d.Version}
	if edits && d.Status == deals.Open {
		path.MoveURL = out.Back.Href + "/" + d.ID.String() + "/move"
	}
	passed := d.Status == deals.Open
	for _, st := range stages {
		current := d.StageID != nil && *d.StageID == st.ID
		if st.Kind != deals.Open && !current {
			continue
		}
		if current {
			passed = false
		}
		step := ui.StageStep{ID: st.ID.String(), Label: st.Name, Done: passed || (d.Status == deals.Won && !current), Current: current}
		switch st.Kind {
		case deals.Won:
			step.Tone = ui.ToneGood
		case deals.Lost:
			step.Tone = ui.ToneBad
		}
		path.Steps = append(path.Steps, step)
	}
	return path
}
