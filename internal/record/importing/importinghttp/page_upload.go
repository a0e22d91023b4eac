package importinghttp

import (
	"net/http"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record/importing"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// newImport asks for the file.
func (p *Pages) newImport(w http.ResponseWriter, r *http.Request) error {
	object := r.URL.Query().Get("object")
	if o, ok := p.kernel.PluralFor(r.Context(), object); ok {
		object = o.Def.Name
	}
	return p.ask(w, r, http.StatusOK, importing.Options{Object: object}, nil)
}

func (p *Pages) ask(w http.ResponseWriter, r *http.Request, status int, opts importing.Options, wrong []string) error {
	objects := p.objects(r)
	if len(objects) == 0 {
		return auth.Denied("records", auth.Create)
	}
	wizard := p.wizard(r, opts.Object, ui.ImportUpload)
	wizard.Upload = &ui.ImportUploadView{
		Form: ui.Form{
			Action: recordpage.Path(r, "imports", "new"), Multipart: true, Submit: "Look at the file", Busy: "Reading…", Cancel: wizard.Back.Href, Errors: wrong, Narrow: true,
			Groups: []ui.FieldGroup{{Fields: []ui.Field{
				{Name: "object", Label: "What the rows are", Kind: ui.FieldSelect, Options: objects, Value: opts.Object, Required: true},
				{Name: "preset", Label: "Where the file comes from", Kind: ui.FieldSelect, Options: presetOptions(), Value: opts.Preset},
				{Name: "sheet", Label: "Sheet", Help: "Of a workbook with several; empty = the first one.", Value: opts.Sheet},
				{Name: "file", Label: "File", Kind: ui.FieldFile, Accept: ".csv,.tsv,.txt,.xlsx,text/csv", Required: true},
			}}},
		},
		Notes: []string{
			"CSV or XLSX, up to 512 MiB, with the names of the columns in the first row. Delimiter, encoding, dates and decimal commas are found by themselves.",
			"Nothing is imported yet: next you see the columns, then what would happen.",
			"One file may hold several objects: people with their company and a deal, for instance.",
		},
	}
	return p.show(w, r, status, wizard)
}

// objects are those the reader may create, records of people before settings.
func (p *Pages) objects(r *http.Request) []ui.Option {
	a := auth.From(r.Context())
	var out []ui.Option
	for _, o := range p.kernel.ObjectsFor(r.Context()) {
		if a != nil && importable(o.Def) && a.Grants.Scope(o.Def.Name, auth.Create) != auth.None {
			out = append(out, ui.Option{Value: o.Def.Name, Label: o.Def.LabelPlural})
		}
	}
	return out
}

var presetNames = map[string]string{"hubspot": "HubSpot", "salesforce": "Salesforce", "pipedrive": "Pipedrive", "twenty": "Twenty", "espocrm": "EspoCRM"}

func presetOptions() []ui.Option {
	out := []ui.Option{{Value: "", Label: "Find out by its headings"}}
	for _, name := range importing.Presets {
		out = append(out, ui.Option{Value: name, Label: presetNames[name]})
	}
	return out
}

// upload takes the file and goes on to its columns.
func (p *Pages) upload(w http.ResponseWriter, r *http.Request) error {
	f, err := p.api.readForm(w, r)
	if err != nil {
		return p.askAgain(w, r, importing.Options{}, err)
	}
	if f.upload == nil {
		return p.askAgain(w, r, f.opts, errs.Field("file", "required", "Choose a file."))
	}
	seen, err := p.imports.Preview(r.Context(), f.upload, f.opts, true)
	if err != nil {
		return p.askAgain(w, r, f.opts, err)
	}
	return page.SeeOther(w, r, recordpage.Path(r, "imports", "files", seen.Upload.String()))
}

func (p *Pages) askAgain(w http.ResponseWriter, r *http.Request, opts importing.Options, err error) error {
	wrong, status := sentences(err)
	if status == 0 {
		return err
	}
	if opts.Object == "" {
		opts.Object = r.URL.Query().Get("object")
	}
	for i := range wrong {
		wrong[i] = strings.TrimSpace(wrong[i])
	}
	return p.ask(w, r, status, opts, wrong)
}
