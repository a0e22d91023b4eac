package recordpage

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/web/ui"
)

// groupsShown is how many groups of duplicates a page lists.
const groupsShown = 50

// duplicates answers GET /{objects}/duplicates: groups of probable duplicates, each
// a way to the page that merges it.
func (p *Pages) duplicates(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	after, err := keyOf(r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	groups, next, err := o.DuplicateGroups(r.Context(), after, groupsShown)
	if err != nil {
		return err
	}
	d := o.Def
	self := Path(r, d.Plural)
	body := ui.ListPage{
		Object: d.Plural, Title: "Possible duplicates", Secondary: []ui.Action{{Label: "Back to " + lower(d.LabelPlural), Href: self}},
		Columns: []ui.Column{{Key: "records", Label: d.LabelPlural, Width: ui.WidthWide}, {Key: "matched_on", Label: "The same", Phone: ui.PhoneSub}, {Key: "score", Label: "Likely", Right: true, Phone: ui.PhoneAside}},
	}
	for _, g := range groups {
		body.Rows = append(body.Rows, groupRow(self, d, g))
	}
	if next != nil {
		body.Footer.NextHref = self + "/duplicates?after=" + strconv.FormatInt(*next, 10)
	}
	if len(body.Rows) == 0 {
		body.Empty = &ui.EmptyState{Kind: ui.EmptyDone, Title: "No duplicates found.", Text: "New ones will be listed here."}
	}
	return p.Page(w, r, http.StatusOK, Head{Title: body.Title + " · " + d.LabelPlural, Section: section(d)}, body)
}

func keyOf(s string) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, errs.New(errs.Malformed, "bad_parameter", "This address belongs to no page of duplicates. Start again at the first one.")
	}
	return &n, nil
}

func groupRow(self string, d *record.Definition, g record.Group) ui.Row {
	var titles []string
	for _, rec := range g.Records[:min(3, len(g.Records))] {
		titles = append(titles, rec.Title())
	}
	text := strings.Join(titles, " · ")
	if more := int(g.Count) - len(titles); more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	href := mergeHref(self, g.Records)
	return ui.Row{
		ID: g.Records[0].ID().String(), Href: href,
		Cells: []ui.Value{ui.TextLink{Text: text, Href: href}, ui.Text(sharedWords(d, g.On)), ui.Number{Value: g.Score * 100, Unit: "%"}},
	}
}

// sharedWords names what is the same as the fields are called.
func sharedWords(d *record.Definition, on []string) string {
	var out []string
	for _, name := range on {
		label := name
		if f, ok := d.Field(name); ok {
			label = f.Label
		}
		out = append(out, label)
	}
	if len(out) == 0 {
		return ""
	}
	return upperFirst(lower(strings.Join(out, ", ")))
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// mergeHref is the page that merges records; it takes as many as a merge does.
func mergeHref(self string, records []*record.Record) string {
	q := url.Values{}
	for _, rec := range records[:min(len(records), record.MaxMerge+1)] {
		q.Add("id", rec.ID().String())
	}
	return self + "/merge?" + q.Encode()
}

// hint tells on a record's page that there may be another one of it.
func (s *sheet) hint() (*ui.Banner, error) {
	if s.history || s.rec.Deleted() || s.def.Match == nil {
		return nil, nil
	}
	found, err := s.o.Duplicates(s.r.Context(), s.rec)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	text := "1 possible duplicate"
	if len(found) > 1 {
		text = strconv.Itoa(len(found)) + " possible duplicates"
	}
	b := &ui.Banner{Tone: ui.ToneAccent, Text: text, Detail: "The same: " + lower(sharedWords(s.def, found[0].On)) + "."}
	if s.edits && may(s.actor, auth.Delete, found[0].Record) {
		b.Actions = []ui.Action{{Label: "Compare and merge", Href: mergeHref(s.base+"/"+s.def.Plural, records(s.rec, found))}}
	} else {
		b.Actions = []ui.Action{{Label: found[0].Record.Title(), Href: hrefOf(s.base, found[0].Record)}}
	}
	return b, nil
}

func records(first *record.Record, found []record.Candidate) []*record.Record {
	out := []*record.Record{first}
	for _, c := range found {
		out = append(out, c.Record)
	}
	return out
}

// warnDouble turns the refusal of a create into a warning with the records that are
// there already and a button that makes another one all the same.
func (st *formState) warnDouble(base string, err error) bool {
	found := record.CandidatesOf(err)
	if len(found) == 0 {
		return false
	}
	label := lower(st.def.Label)
	st.warning = &ui.Banner{Tone: ui.ToneWarn, Text: "There may be this " + label + " already.", Detail: "The same: " + lower(sharedWords(st.def, found[0].On)) + ". Look before you add another one."}
	for _, c := range found[:min(5, len(found))] {
		st.warning.Actions = append(st.warning.Actions, ui.Action{Label: c.Record.Title(), Href: hrefOf(base, c.Record)})
	}
	st.loose = append(st.loose, "Not added yet: there may be this "+label+" already. Open it above, or add yours anyway.")
	return true
}

// mergedTo leads from a merged record's page to the one it became part of.
func (p *Pages) mergedTo(w http.ResponseWriter, r *http.Request, o *record.Object) (bool, error) {
	id, err := pathID(r)
	if err != nil || r.URL.Query().Get("redirect") == "false" {
		return false, err
	}
	rec, err := o.Get(r.Context(), id)
	if err == nil && !rec.Deleted() {
		return false, nil
	}
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return false, err
	}
	to, err := o.MergedInto(r.Context(), id)
	if err != nil || to == nil {
		return false, err
	}
	http.Redirect(w, r, hrefOf(Path(r), to), http.StatusSeeOther)
	return true, nil
}

// chosenIDs reads repeated ids, each once; at least two.
func chosenIDs(values []string) ([]uuid.UUID, error) {
	var out []uuid.UUID
	for _, v := range values {
		if u := uuidOf(v); u != uuid.Nil && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	switch {
	case len(out) < 2:
		return nil, errs.New(errs.Invalid, "too_few", "Choose at least two records to merge.")
	case len(out) > record.MaxMerge+1:
		return nil, errs.New(errs.Invalid, "too_many", "Merge at most %d records at a time.", record.MaxMerge+1)
	}
	return out, nil
}
