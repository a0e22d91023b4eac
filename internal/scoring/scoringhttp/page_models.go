package scoringhttp

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record/recordpage"
	"crm/internal/scoring"
	"crm/web/ui"
)

// Pages serves the settings about lead scoring.
type Pages struct {
	shell *recordpage.Shell
	s     *scoring.Service
}

// NewPages makes the pages and puts them into the settings menu.
func NewPages(shell *recordpage.Shell, s *scoring.Service) *Pages {
	shell.AddSettings(recordpage.SettingsItem{Group: "Sales", Key: "scoring", Label: "Lead scoring", Path: "settings/scoring", Object: model})
	return &Pages{shell: shell, s: s}
}

// Mount puts the pages under r, the router of a workspace.
func (p *Pages) Mount(r chi.Router) {
	h := p.shell.Site.Handle
	r.Get("/settings/scoring", h(p.list))
	r.Post("/settings/scoring/train", h(p.train))
	r.Post("/settings/scoring/rollback", h(p.rollback))
	r.Get("/settings/scoring/{id}", h(p.one))
	r.Post("/settings/scoring/{id}/activate", h(p.activate))
}

// list shows the model in use, what is being trained, and all models.
func (p *Pages) list(w http.ResponseWriter, r *http.Request) error {
	models, err := p.s.Models(r.Context(), "lead")
	if err != nil {
		return err
	}
	body := ui.SettingsPage{Title: "Lead scoring", Intro: "A model learns from your converted and disqualified leads which new ones are worth calling first. " + engineWords(p.s.Engine())}
	active := find(models, scoring.Active)
	if now := find(models, scoring.Training); now != nil {
		body.Sections = append(body.Sections, progress(r, now))
	} else if len(models) > 0 && models[0].Status == scoring.Failed {
		body.Sections = append(body.Sections, ui.Section{ID: "failed", Title: "The last training failed", Banner: &ui.Banner{Tone: ui.ToneBad, Text: models[0].Error}})
	}
	if active != nil {
		body.Sections = append(body.Sections, p.cardSections(r, active)...)
	}
	if may(r, auth.Create) {
		form, err := p.trainForm(r)
		if err != nil {
			return err
		}
		body.Sections = append(body.Sections, ui.Section{ID: "train", Title: "Train a new model", Text: "It goes live by itself if it predicts held-out leads better than the one in use.", Form: form})
	}
	body.Sections = append(body.Sections, ui.Section{ID: "models", Title: "All models", Table: p.table(r, models), Actions: rollbackAction(r, models)})
	return p.show(w, r, body)
}

func (p *Pages) show(w http.ResponseWriter, r *http.Request, body ui.SettingsPage) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	body.Menu, body.Current = p.shell.SettingsMenu(a, chi.URLParam(r, "ws")), "scoring"
	page.NoStore(w)
	return p.shell.Page(w, r, http.StatusOK, recordpage.Head{Title: body.Title + " · Settings", Section: "settings"}, body)
}

func engineWords(engine string) string {
	if why, ok := strings.CutPrefix(engine, "go evaluator: "); ok {
		return "Scores are computed without ONNX Runtime, with the same results (" + why + ")."
	}
	return "Scores are computed by " + strings.Replace(engine, "onnxruntime", "ONNX Runtime", 1) + "."
}

func find(models []*scoring.Model, status scoring.Status) *scoring.Model {
	for _, m := range models {
		if m.Status == status {
			return m
		}
	}
	return nil
}

// may reports whether the reader has a right on models.
func may(r *http.Request, action auth.Action) bool {
	a := auth.From(r.Context())
	return a != nil && a.Grants.Scope(model, action) != auth.None
}

// stages are what a training is doing, in words.
var stages = map[string]string{
	"waiting": "waiting for its turn", "load": "reading leads", "inspect": "looking at the fields", "choose": "choosing how far back to learn from",
	"evaluate": "testing on held-out leads", "final": "learning from all leads",
}

func progress(r *http.Request, m *scoring.Model) ui.Section {
	text := "Version " + strconv.Itoa(m.Version) + " is being trained: " + strconv.Itoa(int(100*m.Progress)) + " %"
	if stage := stages[m.Stage]; stage != "" {
		text += ", " + stage
	}
	return ui.Section{ID: "training", Title: "Training", Banner: &ui.Banner{
		Tone: ui.ToneAccent, Text: text + ".",
		Actions: []ui.Action{{Label: "Look again", Icon: "refresh-cw", Href: recordpage.Path(r, "settings", "scoring")}},
	}}
}

func (p *Pages) table(r *http.Request, models []*scoring.Model) *ui.Table {
	out := &ui.Table{Caption: "Models", Empty: "No model yet. Training needs 40 converted and 40 disqualified leads.", Columns: []ui.Column{
		{Label: "Version", Width: ui.WidthWide}, {Label: "State", Phone: ui.PhoneAside}, {Label: "Trained", Phone: ui.PhoneSub}, {Label: "Leads", Right: true}, {Label: "AUC", Right: true, Phone: ui.PhoneBelow},
	}}
	for _, m := range models {
		row := ui.Row{
			ID: m.ID.String(), Href: recordpage.Path(r, "settings", "scoring", m.ID.String()), Dim: m.Status == scoring.Failed || m.Status == scoring.Retired,
			Cells: []ui.Value{ui.Text("Version " + strconv.Itoa(m.Version)), stateOf(m), ui.None{}, ui.None{}, ui.None{}},
		}
		if m.TrainedAt != nil {
			row.Cells[2], row.Cells[3] = ui.Time{At: *m.TrainedAt}, ui.Number{Value: float64(m.Rows)}
		}
		if m.Metrics != nil {
			row.Cells[4] = ui.Number{Value: m.Metrics.AUC, Decimals: 2}
		}
		row.Actions = activateAction(r, m)
		out.Rows = append(out.Rows, row)
	}
	return out
}

func stateOf(m *scoring.Model) ui.Choice {
	switch m.Status {
	case scoring.Active:
		return ui.Choice{Label: "In use", Tone: ui.ToneGood}
	case scoring.Training:
		return ui.Choice{Label: "Training", Tone: ui.ToneAccent}
	case scoring.Candidate:
		return ui.Choice{Label: "Kept back", Tone: ui.ToneWarn}
	case scoring.Failed:
		return ui.Choice{Label: "Failed", Tone: ui.ToneBad}
	}
	return ui.Choice{Label: "Retired"}
}

func activateAction(r *http.Request, m *scoring.Model) []ui.Action {
	if !may(r, auth.Execute) || (m.Status != scoring.Candidate && m.Status != scoring.Retired) {
		return nil
	}
	return []ui.Action{{Label: "Put to use", Post: recordpage.Path(r, "settings", "scoring", m.ID.String(), "activate"), Busy: "Putting to use…"}}
}

func rollbackAction(r *http.Request, models []*scoring.Model) []ui.Action {
	if !may(r, auth.Execute) || find(models, scoring.Active) == nil || find(models, scoring.Retired) == nil {
		return nil
	}
	return []ui.Action{{Label: "Go back to the model before", Icon: "undo-2", Post: recordpage.Path(r, "settings", "scoring", "rollback")}}
}

// trainForm offers the fields that training can be told about.
func (p *Pages) trainForm(r *http.Request) (*ui.Form, error) {
	fields, err := p.s.Fields(r.Context(), "lead")
	if err != nil {
		return nil, err
	}
	refuse := ui.Field{Name: "refuse", Label: "Fields to leave out", Kind: ui.FieldMulti, Wide: true, Help: "Anything that is only known after a lead was won or lost, such as the length of the deciding call."}
	keep := ui.Field{Name: "keep", Label: "Fields you vouch for", Kind: ui.FieldMulti, Wide: true, Help: "Known when the lead comes in, although they tell the outcome almost alone."}
	for _, f := range fields {
		option := ui.Option{Value: f.Name, Label: f.Label}
		refuse.Options = append(refuse.Options, option)
		if f.Refuse {
			refuse.Values = append(refuse.Values, f.Name)
		}
		if strings.HasPrefix(f.Name, "custom.") {
			keep.Options = append(keep.Options, option)
		}
		if f.Keep {
			keep.Values = append(keep.Values, f.Name)
		}
	}
	group := ui.FieldGroup{Fields: []ui.Field{refuse}}
	if len(keep.Options) > 0 {
		group.Fields = append(group.Fields, keep)
	}
	return &ui.Form{Action: recordpage.Path(r, "settings", "scoring", "train"), Submit: "Train", Busy: "Starting…", Groups: []ui.FieldGroup{group}}, nil
}

func (p *Pages) train(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	// The form shows what was chosen before, so no choice means none, not the old ones.
	req := scoring.TrainRequest{Object: "lead", Refuse: append([]string{}, r.PostForm["refuse"]...), Keep: append([]string{}, r.PostForm["keep"]...)}
	m, err := p.s.Train(r.Context(), req)
	if err != nil {
		return err
	}
	return p.done(w, r, "Version "+strconv.Itoa(m.Version)+" is being trained.")
}

func (p *Pages) rollback(w http.ResponseWriter, r *http.Request) error {
	m, err := p.s.Rollback(r.Context(), "lead")
	if err != nil {
		return err
	}
	return p.done(w, r, "Version "+strconv.Itoa(m.Version)+" scores again.")
}

func (p *Pages) activate(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	m, err := p.s.Activate(r.Context(), id)
	if err != nil {
		return err
	}
	return p.done(w, r, "Version "+strconv.Itoa(m.Version)+" scores from now on.")
}

func (p *Pages) done(w http.ResponseWriter, r *http.Request, text string) error {
	p.shell.Site.SetFlash(w, page.Flash{Text: text})
	return page.SeeOther(w, r, recordpage.Path(r, "settings", "scoring"))
}
