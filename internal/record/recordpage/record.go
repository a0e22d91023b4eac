package recordpage

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/web/ui"
)

// sheet is one record page being put together.
type sheet struct {
	p       *Pages
	r       *http.Request
	o       *record.Object
	def     *record.Definition
	rec     *record.Record
	actor   *auth.Actor
	base    string
	href    string
	names   *names
	format  ui.Format
	edits   bool // the reader may change it
	history bool // only its own changes, on the history tab
	choices map[string][]ui.Option
	open    *openField
}

// openField is the one property whose edit was refused and stays open.
type openField struct {
	name  string
	typed url.Values
	error string
}

// record answers GET /{objects}/{id}.
func (p *Pages) record(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	if gone, err := p.mergedTo(w, r, o); gone || err != nil {
		return err
	}
	return p.showRecord(w, r, o, http.StatusOK, nil, nil)
}

// history answers GET /{objects}/{id}/history: what was changed, and Undo beside
// each change.
func (p *Pages) history(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	return p.showRecord(w, r, o, http.StatusOK, nil, nil)
}

func (p *Pages) showRecord(w http.ResponseWriter, r *http.Request, o *record.Object, status int, open *openField, state *ui.Banner) error {
	s, err := p.sheet(r, o, open)
	if err != nil {
		return err
	}
	body, err := s.page()
	if err != nil {
		return err
	}
	if state != nil {
		body.State = state
	}
	for _, extend := range p.extends[o.Def.Name] {
		if err := extend(r, s.rec, &body); err != nil {
			return err
		}
	}
	return p.Page(w, r, status, Head{Title: s.rec.Title() + " · " + o.Def.LabelPlural, Section: section(o.Def)}, body)
}

func (p *Pages) sheet(r *http.Request, o *record.Object, open *openField) (*sheet, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	rec, err := o.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	def, err := p.k.Definition(r.Context(), o.Def.Name)
	if err != nil {
		return nil, err
	}
	a := auth.From(r.Context())
	return &sheet{
		p: p, r: r, o: o, def: def, rec: rec, actor: a, base: Path(r), href: hrefOf(Path(r), rec), format: p.Format(r), open: open,
		edits: may(a, auth.Update, rec) && !rec.Deleted(), history: strings.HasSuffix(r.URL.Path, "/history"),
	}, nil
}

// page loads what the record needs and draws it.
func (s *sheet) page() (ui.RecordPage, error) {
	ctx := s.r.Context()
	story, err := s.story()
	if err != nil {
		return ui.RecordPage{}, err
	}
	var planned []*record.Record
	if s.p.planned != nil && !s.history {
		if planned, err = s.p.planned(ctx, s.o.Def.Name, s.rec.ID()); err != nil {
			return ui.RecordPage{}, err
		}
	}
	w := wanted{}
	w.addRecord(s.rec, relationFields(s.def))
	story.want(w)
	if s.names, err = s.p.load(ctx, s.base, w); err != nil {
		return ui.RecordPage{}, err
	}
	if err := s.loadChoices(); err != nil {
		return ui.RecordPage{}, err
	}
	related, err := s.related()
	if err != nil {
		return ui.RecordPage{}, err
	}
	out := s.head()
	if hint, err := s.hint(); err != nil {
		return ui.RecordPage{}, err
	} else if hint != nil {
		out.State = hint
	}
	out.Timeline = story.timeline(s)
	out.Timeline.Planned = s.plans(planned)
	out.Details, out.Related = s.details(), related
	out.Summary = scorePanel(s.rec)
	if s.edits && !s.history {
		out.Composer = s.composer()
	}
	s.addPanels(&out)
	return out, nil
}

// head is who it is: name, key facts, buttons, and what is special about it.
func (s *sheet) head() ui.RecordPage {
	d := s.o.Def
	name := s.rec.Title()
	out := ui.RecordPage{
		Object: d.Plural, ID: s.rec.ID().String(), Version: s.rec.Version(), Back: ui.Link{Label: d.LabelPlural, Href: s.base + "/" + d.Plural},
		Avatar: ui.Avatar{Name: name, Square: d.Name != "contact" && d.Name != "lead" && d.Name != "user", Size: 40}, Name: name, Score: headScore(s.rec),
		Facts: s.facts(), Tabs: []ui.Tab{{Label: "Overview", Href: s.href, Current: !s.history}, {Label: "History", Href: s.href + "/history", Current: s.history}},
	}
	out.Sub, out.SubHref = s.sub()
	if s.edits {
		out.Actions = append(out.Actions, ui.Action{Label: "Edit", Icon: "pencil", Href: s.href + "/edit"})
	}
	if may(s.actor, auth.Delete, s.rec) && !s.rec.Deleted() {
		out.More = append(out.More, ui.Action{Label: "Delete", Icon: "trash-2", Post: s.href + "/delete"})
	}
	if s.rec.Deleted() {
		if may(s.actor, auth.Purge, s.rec) && !d.System {
			out.More = append(out.More, ui.Action{Label: "Delete for good", Icon: "trash-2", Href: s.href + "/purge"})
		}
		out.State = s.inBin()
	}
	return out
}

func (s *sheet) inBin() *ui.Banner {
	b := &ui.Banner{Tone: ui.ToneWarn, Text: "This " + lower(s.o.Def.Label) + " is in the bin.", Detail: "Nobody finds it in lists or search."}
	if may(s.actor, auth.Delete, s.rec) {
		b.Actions = []ui.Action{{Label: "Restore", Icon: "undo-2", Post: s.href + "/restore"}}
	}
	return b
}

// sub is the line under the name: "CFO at Atlas Freight".
func (s *sheet) sub() (text, href string) {
	job := s.rec.Text("title")
	company := s.rec.Text("company")
	if f, ok := s.def.Field("account_id"); ok {
		if id, set := s.rec.Get(f.Name).(uuid.UUID); set {
			company = s.names.title(f.Target, id)
			if company != "" {
				href = s.names.href(f.Target, id)
			}
		}
	}
	switch {
	case s.isTitle("title"), job == "" && company == "":
		return s.rec.Text("domain"), ""
	case job == "":
		return company, href
	case company == "":
		return job, ""
	}
	return job + " at " + company, href
}

// isTitle reports whether a field is part of the record's own name.
func (s *sheet) isTitle(name string) bool {
	f, ok := s.def.Field(name)
	return ok && f.Title
}

// factFields are what a header shows, when the object has it.
var factFields = []string{"status", "lifecycle", "type", "stage_id", "amount", "expected_close_date", "due_at", "next_activity_at", "employees", "industry", "owner_id"}

func (s *sheet) facts() []ui.Fact {
	var out []ui.Fact
	for _, name := range factFields {
		f, ok := s.def.Field(name)
		if !ok || s.rec.Get(name) == nil {
			continue
		}
		if v := s.names.cell(s.rec, f); !v.Empty() && len(out) < 5 {
			out = append(out, ui.Fact{Label: f.Label, Value: v})
		}
	}
	return out
}

// bookkeeping are fields that tell of the record rather than of its subject.
var bookkeeping = []string{"external_id", "created_at", "created_by", "updated_at", "updated_by"}

// quiet are fields that have a place of their own on the page.
var quiet = []string{"score", "score_grade", "score_probability", "score_model_id", "scored_at"}

// details are the fields in groups, each with its own small form.
func (s *sheet) details() []ui.PropertyGroup {
	main, own, books := ui.PropertyGroup{Title: "Details"}, ui.PropertyGroup{Title: "More fields"}, ui.PropertyGroup{Title: "Record", Folded: true}
	for _, f := range s.def.Fields {
		switch {
		case !shownField(f), slices.Contains(quiet, f.Name):
		case slices.Contains(bookkeeping, f.Name):
			books.Properties = append(books.Properties, s.property(f))
		case (f.Name == "owner_id" || f.Name == "team_id") && !s.def.Owned:
		case f.ReadOnly && s.rec.Get(f.Name) == nil:
		default:
			main.Properties = append(main.Properties, s.property(f))
		}
	}
	var sections []ui.PropertyGroup
	for _, f := range s.def.CustomFields() {
		if f.Section == "" {
			own.Properties = append(own.Properties, s.property(f))
			continue
		}
		i := slices.IndexFunc(sections, func(g ui.PropertyGroup) bool { return g.Title == f.Section })
		if i < 0 {
			i, sections = len(sections), append(sections, ui.PropertyGroup{Title: f.Section})
		}
		sections[i].Properties = append(sections[i].Properties, s.property(f))
	}
	groups := append([]ui.PropertyGroup{main}, sections...)
	if len(own.Properties) > 0 {
		groups = append(groups, own)
	}
	return append(groups, books)
}

func (s *sheet) property(f *record.Field) ui.Property {
	name := fieldName(f)
	out := ui.Property{Name: name, Label: f.Label, Value: s.names.cell(s.rec, f), Version: s.rec.Version()}
	if !s.edits || f.ReadOnly || f.Type.Name() == "address" {
		return out
	}
	edit := control(s.r.Context(), f, fieldValue(s.rec, f), s.base, s.p.k, s.targets(f), zoneOf(s.actor), s.actor.Currency)
	edit.Help = ""
	if s.open != nil && s.open.name == name {
		out.Error, out.Open = s.open.error, true
		edit.Value, edit.Values = firstText(s.open.typed[name]), s.open.typed[name]
	}
	out.Edit, out.EditURL = &edit, s.href+"/fields/"+url.PathEscape(name)
	return out
}

// loadChoices loads what selects need: people and settings. Other records are
// found by typing.
func (s *sheet) loadChoices() error {
	s.choices = map[string][]ui.Option{}
	if !s.edits {
		return nil
	}
	for _, f := range editable(s.def) {
		if _, loaded := s.choices[f.Target]; loaded || !small(s.r.Context(), s.p, f) {
			continue
		}
		list, err := s.p.options(s.r.Context(), f.Target, nil, s.rec)
		if err != nil {
			return err
		}
		s.choices[f.Target] = list
	}
	return nil
}

func (s *sheet) targets(f *record.Field) []ui.Option {
	if list, ok := s.choices[f.Target]; ok {
		return list
	}
	id, _ := fieldValue(s.rec, f).(uuid.UUID)
	if rec := s.names.record(f.Target, id); rec != nil {
		return []ui.Option{option(rec)}
	}
	return nil
}

// addPanels fills the slots. A panel that fails says so quietly; the page stands.
func (s *sheet) addPanels(out *ui.RecordPage) {
	if s.history {
		return
	}
	for _, slot := range s.p.panels[s.o.Def.Name] {
		panel := ui.Panel{ID: slot.ID, Title: slot.Title}
		body, err := slot.Body(s.r.Context(), s.rec)
		if err != nil {
			if errs.KindOf(err) == errs.Forbidden {
				continue
			}
			slog.WarnContext(s.r.Context(), "panel failed", "panel", slot.ID, "object", s.o.Def.Name, "record_id", s.rec.ID(), "error", err)
			panel.Note = "This part could not be loaded. The rest of the page is fine."
		} else if body == nil {
			continue
		}
		panel.Body = body
		if slot.Lead {
			out.Lead = append(out.Lead, panel)
		} else {
			out.Panels = append(out.Panels, panel)
		}
	}
}
