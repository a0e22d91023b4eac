package recordpage

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/web/ui"
)

// timelinePage is how many happenings a page of the timeline holds.
const timelinePage = 40

// story is what happened to a record and to those that name it.
type story struct {
	entries []record.Entry
	others  map[string]map[uuid.UUID]*record.Record // the other records, as far as visible
	defs    map[string]*record.Definition
	older   string
}

// story loads a page of the journal. Happenings of records the reader may not see
// are left out.
func (s *sheet) story() (*story, error) {
	ctx := s.r.Context()
	before := seqOf(s.r.URL.Query().Get("before"))
	entries, err := s.p.k.Timeline(ctx, s.o.Def.Name, s.rec.ID(), before, timelinePage)
	if err != nil {
		return nil, err
	}
	st := &story{others: map[string]map[uuid.UUID]*record.Record{}, defs: map[string]*record.Definition{}}
	if len(entries) == timelinePage {
		st.older = withQuery(s.r.URL.Path, url.Values{"before": {itoa(entries[len(entries)-1].Seq)}})
	}
	ids := map[string][]uuid.UUID{}
	for _, e := range entries {
		if st.defs[e.Object], err = s.p.k.Definition(ctx, e.Object); err != nil {
			delete(st.defs, e.Object) // an object of a former version: its rows are skipped
			continue
		}
		if e.RecordID != s.rec.ID() && reads(s.actor, e.Object) {
			ids[e.Object] = append(ids[e.Object], e.RecordID)
		}
	}
	for object, list := range ids {
		o, _ := s.p.k.ObjectFor(ctx, object)
		if st.others[object], err = o.GetMany(ctx, list); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		if st.shows(s, e) {
			st.entries = append(st.entries, e)
		}
	}
	return st, nil
}

func seqOf(s string) int64 {
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' || n > 1<<59 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// shows keeps the record's own happenings and those of visible others.
func (st *story) shows(s *sheet, e record.Entry) bool {
	if st.defs[e.Object] == nil {
		return false
	}
	if e.RecordID == s.rec.ID() && e.Object == s.o.Def.Name {
		return !s.history || len(e.Changes) > 0
	}
	return !s.history && st.others[e.Object][e.RecordID] != nil
}

// want collects the names the timeline will say.
func (st *story) want(w wanted) {
	for _, e := range st.entries {
		if e.ActorID != nil {
			w.add("user", *e.ActorID)
		}
		for name, change := range e.Changes {
			f, ok := st.defs[e.Object].Field(name)
			if !ok || f.Target == "" {
				continue
			}
			for _, raw := range change {
				if text, ok := raw.(string); ok {
					w.add(f.Target, uuidOf(text))
				}
			}
		}
	}
}

func (st *story) timeline(s *sheet) ui.Timeline {
	out := ui.Timeline{OlderHref: st.older}
	if s.history {
		out.Empty = "Nothing was changed yet."
	}
	for i := 0; i < len(st.entries); {
		n := s.crowd(st, i)
		item, ok := s.item(st, st.entries[i])
		if ok && n > 1 {
			item.Title, item.Href = "added "+itoa(int64(n))+" "+lower(st.defs[st.entries[i].Object].LabelPlural), ""
		}
		if ok {
			out.Items = append(out.Items, item)
		}
		i += n
	}
	return out
}

// crowd counts the happenings from i on that read as one: an import that added
// many records of one kind.
func (s *sheet) crowd(st *story, i int) int {
	first := st.entries[i]
	n := 1
	if first.Action != "created" || first.Via != string(auth.ViaImport) || first.RecordID == s.rec.ID() {
		return n
	}
	for _, e := range st.entries[i+1:] {
		if e.Object != first.Object || e.Action != first.Action || e.Via != first.Via || e.ActorName != first.ActorName || first.At.Sub(e.At) > time.Hour {
			break
		}
		n++
	}
	return n
}

// item is one happening in words; ok is false for those nobody needs to read.
func (s *sheet) item(st *story, e record.Entry) (ui.TimelineItem, bool) {
	out := ui.TimelineItem{ID: itoa(e.Seq), Kind: ui.KindChange, At: e.At, Actor: s.who(e), Via: via(e)}
	if e.RecordID != s.rec.ID() {
		return s.otherItem(out, st.others[e.Object][e.RecordID], e), true
	}
	out.Changes = s.changes(st.defs[e.Object], e)
	out.Title = title(lower(s.o.Def.Label), e, len(out.Changes))
	if e.Action == "created" {
		out.Changes = nil
	}
	if len(e.Changes) > 0 && len(out.Changes) == 0 && (e.Action == "updated" || e.Action == "undone") && e.Changes["deleted_at"] == [2]any{} {
		return out, false
	}
	if len(e.Changes) == 0 && e.ActorKind == string(auth.System) {
		out.Kind = ui.KindMachine
	}
	if s.undoable(e) {
		out.UndoURL, out.UndoFields = s.base+"/undo", []ui.Hidden{{Name: "seq", Value: itoa(e.Seq)}, {Name: "back", Value: s.r.URL.Path}}
	}
	return out, true
}

func (s *sheet) undoable(e record.Entry) bool {
	return s.edits && len(e.Changes) > 0 && e.Action != "created" && e.Action != "undone"
}

// who acted: a user by today's name, everything else by the name it had.
func (s *sheet) who(e record.Entry) ui.Person {
	switch e.ActorKind {
	case string(auth.User):
		if e.ActorID != nil {
			if name := s.names.title("user", *e.ActorID); name != "" {
				return ui.Person{Name: name}
			}
		}
		return ui.Person{Name: e.ActorName}
	case string(auth.System):
		return ui.Person{Name: systemName(e.ActorName), Machine: true}
	}
	return ui.Person{Name: e.ActorName, Machine: true}
}

func systemName(name string) string {
	if name == "" || name == "system" {
		return "The product"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func via(e record.Entry) string {
	switch e.Via {
	case string(auth.ViaAPI):
		return "through the API"
	case string(auth.ViaImport):
		return "by an import"
	case string(auth.ViaWorkflow):
		return "by a workflow"
	}
	return ""
}

// title says what was done. Acts have their own words; an unknown one is said as
// it is called.
func title(noun string, e record.Entry, changes int) string {
	if words, ok := actWords[e.Action]; ok {
		return words
	}
	switch e.Action {
	case "created":
		return "added this " + noun
	case "updated":
		if changes == 1 {
			return "changed a field"
		}
		return "changed " + itoa(int64(changes)) + " fields"
	case "deleted":
		return "moved this " + noun + " to the bin"
	case "restored":
		return "brought this " + noun + " back"
	case "undone":
		return "took a change back"
	}
	return strings.ReplaceAll(e.Action, "_", " ") + " this " + noun
}

// actWords are the acts people know by better words than their names.
var actWords = map[string]string{
	"moved": "moved this to another stage", "won": "won this deal", "lost": "marked this as lost", "reopened": "reopened this", "converted": "turned this lead into a customer",
	"unconverted": "took the conversion back", "disqualified": "decided this is not a fit", "scored": "scored this", "completed": "finished this", "merged": "merged another record into this",
	"assigned": "gave this to somebody", "signed_in": "signed in", "sign_in_failed": "failed to sign in", "password_reset": "set a new password",
}

// changes are the from → to lines. Values that follow from others, documents and
// bookkeeping are left out: they would only repeat what is said.
func (s *sheet) changes(def *record.Definition, e record.Entry) []ui.FieldChange {
	var out []ui.FieldChange
	for _, name := range slices.Sorted(maps.Keys(e.Changes)) {
		f, ok := def.Field(name)
		if !ok || !shownField(f) || slices.Contains(derived, name) {
			continue
		}
		change := e.Changes[name]
		out = append(out, ui.FieldChange{Field: f.Label, From: s.past(f, change[0]), To: s.past(f, change[1])})
	}
	return out
}

// derived fields follow from others of the same change.
var derived = []string{"weighted_amount", "stage_entered_at", "score_reasons", "score_model_id", "scored_at", "score_probability", "score_grade"}

// past reads a value of the journal and says it.
func (s *sheet) past(f *record.Field, raw any) string {
	if raw == nil {
		return ""
	}
	return s.names.plain(f, canonical(f, raw), s.format)
}

// otherItem tells of a record that names this one: a note, a deal.
func (s *sheet) otherItem(out ui.TimelineItem, rec *record.Record, e record.Entry) ui.TimelineItem {
	out.Href = hrefOf(s.base, rec)
	if rec.Def.Name == activityObject {
		return s.activityItem(out, rec, e)
	}
	noun := lower(rec.Def.Label)
	switch words, known := otherWords[e.Action]; {
	case known:
		out.Title = words + " the " + noun + " " + rec.Title()
	default:
		out.Title = strings.ReplaceAll(e.Action, "_", " ") + " the " + noun + " " + rec.Title()
	}
	if e.Action == "updated" || e.Action == "moved" {
		out.Changes = s.changes(rec.Def, e)
	}
	return out
}

var otherWords = map[string]string{"created": "added", "updated": "changed", "deleted": "moved to the bin", "restored": "brought back", "undone": "took back a change of", "lost": "lost"}

// activityItem reads like what it is: a note with its text, a call, a task.
func (s *sheet) activityItem(out ui.TimelineItem, rec *record.Record, e record.Entry) ui.TimelineItem {
	kind := rec.Text("type")
	out.Kind = map[string]ui.TimelineKind{"note": ui.KindNote, "call": ui.KindCall, "task": ui.KindTask, "meeting": ui.KindMeeting, "email": ui.KindMessage}[kind]
	switch {
	case e.Action == "created" && kind == "note":
		out.Title, out.Text = "wrote a note", rec.Text("body")
	case e.Action == "created" && kind == "call":
		out.Title, out.Text = "logged a call", rec.Text("body")
		if outcome := rec.Text("outcome"); outcome != "" {
			out.Text = strings.TrimSpace(out.Text + "\nOutcome: " + outcome)
		}
	case e.Action == "created":
		out.Title, out.Text = "planned: "+rec.Title(), rec.Text("body")
	case e.Action == "completed":
		out.Title = "finished: " + rec.Title()
	case e.Action == "updated":
		out.Title, out.Changes = "changed: "+rec.Title(), s.changes(rec.Def, e)
	default:
		out.Title = otherWord(e.Action) + ": " + rec.Title()
	}
	if rec.Deleted() {
		out.State = &ui.Choice{Label: "In the bin"}
	}
	if may(s.actor, auth.Update, rec) && len(e.Changes) > 0 && e.Action != "undone" && !rec.Deleted() {
		out.UndoURL, out.UndoFields = s.base+"/undo", []ui.Hidden{{Name: "seq", Value: itoa(e.Seq)}, {Name: "back", Value: s.r.URL.Path}}
	}
	return out
}

func otherWord(action string) string {
	if w, ok := otherWords[action]; ok {
		return w
	}
	return strings.ReplaceAll(action, "_", " ")
}

// plans are the open activities ahead, each with its Done button.
func (s *sheet) plans(list []*record.Record) []ui.TimelineItem {
	var out []ui.TimelineItem
	for _, rec := range list {
		item := ui.TimelineItem{ID: rec.ID().String(), Kind: ui.KindTask, Title: rec.Title(), Href: hrefOf(s.base, rec)}
		if d, ok := rec.Def.Field("due_at"); ok && rec.Get("due_at") != nil {
			if due, ok := s.names.cell(rec, d).(ui.Due); ok {
				item.Due = &due
			}
		}
		if may(s.actor, auth.Update, rec) {
			item.Actions = []ui.Action{{Label: "Done", Icon: "check", Post: item.Href + "/done", Fields: []ui.Hidden{{Name: "back", Value: s.r.URL.Path}}}}
		}
		out = append(out, item)
	}
	return out
}
