package importinghttp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/id"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/importing"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// one shows an import at whatever step it is.
func (p *Pages) one(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	imp, err := p.imports.Get(r.Context(), id)
	if err != nil {
		return err
	}
	switch {
	case !imp.State.Over() || imp.Undo.State == "queued" || imp.Undo.State == "running":
		return p.show(w, r, http.StatusOK, p.progress(r, imp))
	case imp.DryRun && imp.State == importing.Done:
		return p.show(w, r, http.StatusOK, p.trial(r, imp))
	}
	return p.show(w, r, http.StatusOK, p.result(r, imp))
}

func (p *Pages) self(r *http.Request, imp *importing.Import, more ...string) string {
	return recordpage.Path(r, append([]string{"imports", imp.ID.String()}, more...)...)
}

func (p *Pages) progress(r *http.Request, imp *importing.Import) ui.ImportWizard {
	wizard := p.wizard(r, imp.Object, ui.ImportProgress)
	view := &ui.ImportProgressView{Done: int(imp.Read), RefreshURL: p.self(r, imp), Line: "Waiting for its turn"}
	if imp.Total != nil {
		view.Total = int(*imp.Total)
		view.Line = fmt.Sprintf("%d of %d rows, %.0f rows a second", imp.Read, *imp.Total, imp.Rate())
	}
	switch {
	case imp.State.Over():
		view.Line = "Taking the import back"
	case imp.DryRun:
		wizard.Step = ui.ImportPreview
		view.Line = "Trying it: " + view.Line
	}
	if !imp.State.Over() {
		view.Cancel = &ui.Action{Label: "Cancel", Post: p.self(r, imp, "cancel")}
	}
	wizard.Progress = view
	return wizard
}

func counts(r *http.Request, p *Pages, imp *importing.Import, words [4]string) []ui.Sum {
	out := []ui.Sum{}
	for i, n := range []int64{imp.Created, imp.Updated, imp.Skipped, imp.Failed} {
		out = append(out, ui.Sum{Label: words[i], Value: ui.Number{Value: float64(n)}})
	}
	for _, object := range []string{"account", "product", "contact", "deal"} {
		c, o := imp.Objects[object], objectName(r.Context(), p, object)
		if c == nil {
			continue
		}
		for _, part := range []struct {
			n    int64
			word string
		}{{c.Created, words[0]}, {c.Updated, words[1]}, {c.Failed, words[3]}} {
			if part.n > 0 {
				out = append(out, ui.Sum{Label: o + ": " + lower(part.word), Value: ui.Number{Value: float64(part.n)}})
			}
		}
	}
	return out
}

func objectName(ctx context.Context, p *Pages, object string) string {
	if o, ok := p.kernel.ObjectFor(ctx, object); ok {
		return o.Def.LabelPlural
	}
	return object
}

var fateWords = map[string]ui.Choice{
	"created": {Label: "New", Tone: ui.ToneGood}, "updated": {Label: "Updated", Tone: ui.ToneAccent}, "skipped": {Label: "Skipped"}, "failed": {Label: "Refused", Tone: ui.ToneBad},
}

// trial shows what a dry run found, and offers to do it.
func (p *Pages) trial(r *http.Request, imp *importing.Import) ui.ImportWizard {
	wizard := p.wizard(r, imp.Object, ui.ImportPreview)
	heads, rows := p.sample(r.Context(), imp)
	view := &ui.ImportPreviewView{Counts: counts(r, p, imp, [4]string{"Would be new", "Would be updated", "Would be skipped", "Would be refused"}), Heads: heads, Rows: rows, Notes: notes(imp)}
	if u := imp.Upload(); u != nil {
		n := imp.Created + imp.Updated
		do := ui.Action{Label: fmt.Sprintf("Import %d rows", n), Weight: ui.Primary, Post: p.self(r, imp, "run"), Busy: "Starting…"}
		if n == 0 {
			do.Off = "No row of the file would change anything."
		}
		view.Actions = append(view.Actions, do, ui.Action{Label: "Back to the columns", Href: recordpage.Path(r, "imports", "files", u.String())})
	}
	if imp.Failed > 0 {
		view.Actions = append(view.Actions, ui.Action{Label: "Refused rows as CSV", Icon: "download", Href: p.self(r, imp, "errors.csv")})
	}
	wizard.Preview = view
	return wizard
}

// sampleRows is how many rows of a dry run the page shows, sampleFields how many fields.
const (
	sampleRows   = 20
	sampleFields = 8
)

func (p *Pages) sample(ctx context.Context, imp *importing.Import) (heads []string, rows []ui.ImportPreviewRow) {
	var fields []string
	for _, c := range imp.Columns {
		base, _, _ := strings.Cut(c.Field, ".")
		if c.Field != "" && imp.Objects[base] == nil && len(fields) < sampleFields && !slices.Contains(fields, fieldOf(c.Field)) {
			fields, heads = append(fields, fieldOf(c.Field)), append(heads, c.Heading)
		}
	}
	names := p.names(ctx, imp, fields)
	for _, s := range imp.Sample[:min(len(imp.Sample), sampleRows)] {
		row := ui.ImportPreviewRow{Line: int(s.Row), Verdict: fateWords[s.Fate], Problem: s.Reason}
		for _, f := range fields {
			row.Cells = append(row.Cells, changeWords(s.Changes[f], names))
		}
		rows = append(rows, row)
	}
	return heads, rows
}

// fieldOf is the field of the record that a target is part of.
func fieldOf(target string) string {
	if strings.HasPrefix(target, "custom.") {
		return target
	}
	base, _, _ := strings.Cut(target, ".")
	base, _, _ = strings.Cut(base, "[")
	return base
}

// names are the titles of the records that the sample points to. Those that the import
// itself would make have none yet.
func (p *Pages) names(ctx context.Context, imp *importing.Import, fields []string) map[string]string {
	out := map[string]string{}
	o, ok := p.kernel.ObjectFor(ctx, imp.Object)
	if !ok {
		return out
	}
	for _, name := range fields {
		f, ok := o.Def.Field(name)
		if !ok {
			continue
		}
		target := f.Target
		if t := f.Type.Name(); t == "user" || t == "team" {
			target = t
		}
		to, ok := p.kernel.ObjectFor(ctx, target)
		if !ok {
			continue
		}
		p.nameAll(ctx, to, imp.Sample, name, out)
	}
	return out
}

func (p *Pages) nameAll(ctx context.Context, to *record.Object, sample []importing.Sampled, field string, out map[string]string) {
	var ids []uuid.UUID
	for _, s := range sample {
		for _, v := range s.Changes[field] {
			text, _ := v.(string)
			if u, ok := id.Parse(text); ok {
				out[text] = "new " + lower(to.Def.Label)
				ids = append(ids, u)
			}
		}
	}
	have, err := to.GetMany(ctx, ids)
	if err != nil {
		return // what may not be read has no name
	}
	for u, rec := range have {
		out[u.String()] = rec.Title()
	}
}

func changeWords(c [2]any, names map[string]string) string {
	was, now := plainWords(c[0]), plainWords(c[1])
	if n := names[was]; n != "" {
		was = n
	}
	if n := names[now]; n != "" {
		now = n
	}
	switch {
	case c[0] == nil:
		return now
	case c[1] == nil:
		return was + " → (empty)"
	}
	return was + " → " + now
}

// plainWords shows a value of the journal in a cell.
func plainWords(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		if amount, ok := v["amount"]; ok {
			return fmt.Sprint(amount, " ", v["currency"])
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// result closes an import.
func (p *Pages) result(r *http.Request, imp *importing.Import) ui.ImportWizard {
	wizard := p.wizard(r, imp.Object, ui.ImportResult)
	view := &ui.ImportResultView{Tone: ui.ToneGood, Counts: counts(r, p, imp, [4]string{"New", "Updated", "Skipped", "Refused"})}
	in := imp.Created + imp.Updated
	view.Line = fmt.Sprintf("%d rows are in, %d were refused.", in, imp.Failed)
	if imp.Failed == 0 {
		view.Line = fmt.Sprintf("All done: %d rows are in.", in)
	}
	view.Notes = notes(imp)
	p.ending(imp, view)
	if imp.Failed > 0 {
		view.ErrorsHref = p.self(r, imp, "errors.csv")
	}
	if o, ok := p.kernel.ObjectFor(r.Context(), imp.Object); ok {
		view.Next = append(view.Next, ui.Action{Label: "Show " + lower(o.Def.LabelPlural), Weight: ui.Primary, Href: recordpage.Path(r, o.Def.Plural)})
	}
	view.Next = append(view.Next, ui.Action{Label: "Import another file", Href: recordpage.Path(r, "imports", "new") + "?object=" + imp.Object})
	if imp.Undo.State == "" && in > 0 && !imp.DryRun {
		view.Undo = &ui.Action{Label: "Undo this import", Icon: "undo-2", Post: p.self(r, imp, "undo"), Busy: "Taking back…", Ask: fmt.Sprintf("Take back %d rows? What was changed since stays as it is.", in)}
	}
	wizard.Result = view
	return wizard
}

// ending puts first what went otherwise than well.
func (p *Pages) ending(imp *importing.Import, view *ui.ImportResultView) {
	switch {
	case imp.Undo.State == "done":
		view.Tone, view.Line = ui.ToneAccent, fmt.Sprintf("This import was taken back: %d changes reversed, %d left because they were changed since.", imp.Undo.Reversed, len(imp.Undo.Conflicts))
	case imp.Undo.State == "failed":
		view.Tone, view.Line = ui.ToneBad, "Taking this import back failed in the middle. Try it again."
	case imp.State == importing.Failed:
		view.Tone, view.Line = ui.ToneBad, "The import stopped: "+imp.Error+" "+view.Line
	case imp.State == importing.Cancelled:
		view.Tone, view.Line = ui.ToneWarn, "The import was cancelled. "+view.Line
	case imp.Failed > 0 || len(imp.Warnings) > 0:
		view.Tone = ui.ToneWarn
	}
}

func notes(imp *importing.Import) []string {
	var out []string
	for _, w := range imp.Warnings {
		out = append(out, fmt.Sprintf("%d × %s", w.Count, w.Message))
	}
	return out
}

// list shows the newest imports.
func (p *Pages) list(w http.ResponseWriter, r *http.Request) error {
	found, err := p.imports.List(r.Context(), 100)
	if err != nil {
		return err
	}
	table := &ui.Table{Caption: "Imports", Empty: "No file was imported yet.", Columns: []ui.Column{
		{Label: "File", Width: ui.WidthWide}, {Label: "Object", Phone: ui.PhoneSub}, {Label: "State", Phone: ui.PhoneAside}, {Label: "Rows", Right: true, Phone: ui.PhoneBelow}, {Label: "Refused", Right: true}, {Label: "When"},
	}}
	for _, imp := range found {
		name := imp.FileName
		if name == "" {
			name = "Without a name"
		}
		table.Rows = append(table.Rows, ui.Row{ID: imp.ID.String(), Href: p.self(r, imp), Dim: imp.DryRun, Cells: []ui.Value{
			ui.Text(name), ui.Text(objectName(r.Context(), p, imp.Object)), stateWords(imp), ui.Number{Value: float64(imp.Read)}, ui.Number{Value: float64(imp.Failed)}, ui.Time{At: imp.CreatedAt},
		}})
	}
	return p.showList(w, r, ui.SettingsPage{
		Title: "Imports", Intro: "Files taken in, the newest first. An import can be taken back as a whole.", Primary: &ui.Action{Label: "Import a file", Weight: ui.Primary, Icon: "upload", Href: recordpage.Path(r, "imports", "new")},
		Sections: []ui.Section{{ID: "imports", Title: "Imports", Table: table}},
	})
}

func stateWords(imp *importing.Import) ui.Choice {
	switch {
	case imp.Undo.State != "":
		return ui.Choice{Label: "Taken back"}
	case imp.State == importing.Failed:
		return ui.Choice{Label: "Stopped", Tone: ui.ToneBad}
	case imp.State == importing.Cancelled:
		return ui.Choice{Label: "Cancelled", Tone: ui.ToneWarn}
	case imp.State == importing.Running:
		return ui.Choice{Label: "Running", Tone: ui.ToneAccent}
	case imp.State == importing.Queued:
		return ui.Choice{Label: "Waiting", Tone: ui.ToneAccent}
	case imp.DryRun:
		return ui.Choice{Label: "Dry run"}
	}
	return ui.Choice{Label: "Done", Tone: ui.ToneGood}
}
