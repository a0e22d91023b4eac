package importinghttp

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record/importing"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// newField is the choice that makes a custom field of a column.
const newField = "+"

// mapping shows the columns of a waiting file and where they would go.
func (p *Pages) mapping(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	return p.columns(w, r, id, http.StatusOK, nil, nil)
}

// columns draws the mapping, with what a form said when it has to be mended.
func (p *Pages) columns(w http.ResponseWriter, r *http.Request, id uuid.UUID, status int, said url.Values, wrong []string) error {
	seen, err := p.lookAgain(r, id)
	if err != nil {
		return err
	}
	wizard := p.wizard(r, seen.Object, ui.ImportMap)
	view := &ui.ImportMapView{
		Action: recordpage.Path(r, "imports", "files", id.String()), File: fileWords(seen), Targets: p.targets(r, seen), Errors: wrong, Submit: "Try it without changing anything",
		Back: recordpage.Path(r, "imports", "new") + "?object=" + seen.Object,
	}
	for _, c := range seen.Columns {
		col := ui.ImportColumn{Column: c.Heading, Samples: c.Samples, Target: c.Field, Guessed: c.How == importing.Guessed}
		if c.Misfits > 0 {
			col.Warning = fmt.Sprintf("%d of %d do not fit", c.Misfits, c.Filled)
		}
		if said != nil {
			col.Target = said.Get(columnName(c.Heading))
		}
		view.Columns = append(view.Columns, col)
	}
	view.Extra = p.extra(r, seen, said)
	wizard.Map = view
	return p.show(w, r, status, wizard)
}

// lookAgain previews the file; one in which no heading is known is shown all the same.
func (p *Pages) lookAgain(r *http.Request, id uuid.UUID) (*importing.Preview, error) {
	seen, err := p.imports.PreviewKept(r.Context(), id, importing.Options{})
	if e := errs.As(err); e != nil && len(e.Fields) > 0 && e.Fields[0].Code == "nothing_to_import" {
		return p.imports.PreviewKept(r.Context(), id, importing.Options{CreateFields: true})
	}
	return seen, err
}

func columnName(heading string) string { return "map[" + heading + "]" }

func fileWords(p *importing.Preview) string {
	words := []string{p.FileName}
	if p.Sheet != "" {
		words = append(words, "sheet “"+p.Sheet+"”")
	}
	if name := presetNames[p.Preset]; name != "" {
		words = append(words, "from "+name)
	}
	if p.Remembered {
		words = append(words, "mapped as last time")
	}
	text := strings.Join(words, ", ") + "."
	for _, w := range p.Warnings {
		if w.Code != "misfits" {
			text += " " + w.Message
		}
	}
	return text
}

func (p *Pages) targets(r *http.Request, seen *importing.Preview) []ui.Option {
	var out []ui.Option
	if auth.From(r.Context()).Grants.Scope("custom_field", auth.Create) != auth.None {
		out = append(out, ui.Option{Value: newField, Label: "Make a new field"})
	}
	for _, t := range seen.Targets {
		label := t.Label
		if t.Group != "" {
			label = t.Group + ": " + label
		}
		out = append(out, ui.Option{Value: t.Field, Label: label})
	}
	for _, c := range seen.Columns { // phones[mobile] and the like, which the list does not name
		if c.Field != "" && c.How != importing.Made && !hasOption(out, c.Field) {
			out = append(out, ui.Option{Value: c.Field, Label: c.Field})
		}
	}
	return out
}

func hasOption(list []ui.Option, value string) bool {
	for _, o := range list {
		if o.Value == value {
			return true
		}
	}
	return false
}

// extra are the choices about the file as a whole.
func (p *Pages) extra(r *http.Request, seen *importing.Preview, said url.Values) []ui.Field {
	value := func(name, otherwise string) string {
		if said != nil {
			return said.Get(name)
		}
		return otherwise
	}
	keys := []ui.Option{{Value: "", Label: "Nothing: every row is new"}}
	for _, k := range p.imports.Keys(r.Context(), seen.Object) {
		keys = append(keys, ui.Option{Value: k.Field, Label: k.Label})
	}
	mode := "create"
	if seen.Key != "" {
		mode = "upsert"
	}
	out := []ui.Field{
		{Name: "key", Label: "Find existing records by", Kind: ui.FieldSelect, Options: keys, Value: value("key", seen.Key)},
		{Name: "mode", Label: "Rows that exist already", Kind: ui.FieldSelect, Value: value("mode", mode), Options: []ui.Option{
			{Value: "upsert", Label: "Update them, add the others"}, {Value: "create", Label: "Skip them, add the others"}, {Value: "update", Label: "Update them, skip the others"},
		}},
		{Name: "blank", Label: "Empty cells", Kind: ui.FieldSelect, Value: value("blank", "keep"), Options: []ui.Option{{Value: "keep", Label: "Keep the old value"}, {Value: "clear", Label: "Clear the old value"}}},
	}
	if auth.From(r.Context()).Grants.Scope("custom_field", auth.Create) == auth.None {
		return out
	}
	return append(out,
		ui.Field{Name: "create_options", Label: "Add missing choices to custom fields", Kind: ui.FieldCheck, Value: value("create_options", "")},
		ui.Field{Name: "create_fields", Label: "Create companies and products that are named but missing", Kind: ui.FieldCheck, Value: value("create_fields", "")},
	)
}

// try begins a dry run with the mapping of the form.
func (p *Pages) try(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxField)
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Malformed, "bad_form", "The form could not be read.")
	}
	seen, err := p.lookAgain(r, id)
	if err != nil {
		return err
	}
	imp, err := p.imports.FromKept(r.Context(), id, options(seen, r.PostForm))
	if err == nil {
		return page.SeeOther(w, r, recordpage.Path(r, "imports", imp.ID.String()))
	}
	wrong, status := sentences(err)
	if status == 0 {
		return err
	}
	return p.columns(w, r, id, status, r.PostForm, wrong)
}

// options reads the form. A column left where its heading was guessed to belong stays a
// guess: what nobody knows is left empty rather than refusing the row.
func options(seen *importing.Preview, form url.Values) importing.Options {
	opts := importing.Options{
		DryRun: true, Mode: importing.Mode(form.Get("mode")), Key: form.Get("key"), Blank: importing.Blank(form.Get("blank")),
		CreateFields: form.Get("create_fields") != "", CreateOptions: form.Get("create_options") != "", Mapping: map[string]any{},
	}
	for _, c := range seen.Columns {
		switch to := form.Get(columnName(c.Heading)); {
		case to == newField:
			opts.CreateFields = true
		case to == "":
			opts.Mapping[c.Heading] = nil
		case to == c.Field && (c.How == importing.Guessed || c.Lenient):
			opts.Mapping[c.Heading] = map[string]any{"field": to, "unknown": "empty"}
		default:
			opts.Mapping[c.Heading] = withValues(c, to)
		}
	}
	return opts
}

// withValues keeps the values a remembered mapping replaces.
func withValues(c importing.PreviewColumn, to string) any {
	if c.Values == nil || c.Field != to {
		return to
	}
	values := map[string]any{}
	for from, v := range c.Values {
		if v == nil {
			values[from] = nil
			continue
		}
		values[from] = *v
	}
	return map[string]any{"field": to, "values": values}
}
