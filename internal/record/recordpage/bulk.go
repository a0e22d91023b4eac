package recordpage

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// maxBulk is how many records one press of a button may change.
const maxBulk = 10_000

// bulkActions are what can be done to the chosen rows.
func (l *listing) bulkActions(out *ui.ListPage) {
	act := func(label, name, icon string) ui.Action {
		return ui.Action{Label: label, Icon: icon, Fields: []ui.Hidden{{Name: "action", Value: name}}}
	}
	switch {
	case l.query.Get("trash") == "true":
		if l.mayDo(auth.Delete) {
			out.Bulk = append(out.Bulk, ui.BulkAction{Action: act("Restore", "restore", "undo-2")})
		}
		if l.mayDo(auth.Purge) && !l.def.System {
			forGood := act("Delete for good", "purge", "trash-2")
			forGood.Ask = "Delete the chosen " + lower(l.def.LabelPlural) + " for good? Nobody can bring them back."
			out.Bulk = append(out.Bulk, ui.BulkAction{Action: forGood})
		}
	default:
		if owners := l.owners(out.Builder); l.def.Owned && l.mayDo(auth.Update) && len(owners) > 0 {
			out.Bulk = append(out.Bulk, ui.BulkAction{Action: act("Assign", "assign", "user"), Choose: "assign_to", Choices: owners})
		}
		if l.mayDo(auth.Update) && l.mayDo(auth.Delete) && l.def.Mergeable() && l.def.Name != "message" {
			out.Bulk = append(out.Bulk, ui.BulkAction{Action: act("Merge", "merge", "link")})
		}
		if l.mayDo(auth.Delete) {
			out.Bulk = append(out.Bulk, ui.BulkAction{Action: act("Delete", "delete", "trash-2")})
		}
	}
	if len(out.Bulk) == 0 {
		return
	}
	out.BulkURL = l.self + "/bulk"
	for i := range out.Bulk {
		// Each button names the address too: in a form with buttons called "action",
		// form.action is not the form's address for a script.
		out.Bulk[i].Post = out.BulkURL
	}
	out.BulkKeep = []ui.Hidden{{Name: "query", Value: clone(l.query, "cursor", "from").Encode()}}
}

// owners are the people the builder has loaded already.
func (l *listing) owners(b *ui.FilterBuilder) []ui.Option {
	for _, f := range b.Fields {
		if f.Name == "owner_id" {
			return f.Options
		}
	}
	return nil
}

// bulk answers POST /{objects}/bulk: one batch in the journal, so that it can be
// taken back as one.
func (p *Pages) bulk(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	ids, query, err := p.chosen(r, o)
	if err != nil {
		return err
	}
	back := withQuery(Path(r, o.Def.Plural), query)
	if len(ids) == 0 {
		p.Site.SetFlash(w, page.Flash{Text: "Nothing was chosen. Tick the rows first.", Bad: true})
		return page.SeeOther(w, r, back)
	}
	switch r.PostForm.Get("action") {
	case "merge":
		return page.SeeOther(w, r, mergeFor(r, o, ids))
	case "purge":
		flash, err := p.purgeMany(r, o, ids)
		if err != nil {
			return err
		}
		p.Site.SetFlash(w, flash)
		return page.SeeOther(w, r, back)
	}
	op, done, err := bulkOperation(r, o)
	if err != nil {
		return err
	}
	batch := id.New()
	ctx := auth.As(r.Context(), func(a *auth.Actor) { a.BatchID = batch })
	changed, refused, err := applyAll(ctx, o, ids, op)
	if err != nil {
		return err
	}
	p.Site.SetFlash(w, bulkFlash(p.Format(r), o, changed, refused, done, batch))
	return page.SeeOther(w, r, back)
}

// mergeFor is the merge page of the chosen rows.
func mergeFor(r *http.Request, o *record.Object, ids []uuid.UUID) string {
	q := url.Values{}
	for _, id := range ids[:min(len(ids), record.MaxMerge+2)] {
		q.Add("id", id.String())
	}
	return Path(r, o.Def.Plural, "merge") + "?" + q.Encode()
}

// chosen are the ticked rows, or all that the list's filter matches.
func (p *Pages) chosen(r *http.Request, o *record.Object) ([]uuid.UUID, url.Values, error) {
	query, err := url.ParseQuery(r.PostForm.Get("query"))
	if err != nil {
		return nil, nil, errs.Wrap(err, errs.Malformed, "bad_query", "The list's address could not be read. Load the page again.")
	}
	if r.PostForm.Get("all") != "1" {
		var ids []uuid.UUID
		for _, s := range r.PostForm["id"] {
			if u, ok := id.Parse(s); ok {
				ids = append(ids, u)
			}
		}
		return ids, query, nil
	}
	l, err := p.listing(r, o)
	if err != nil {
		return nil, nil, err
	}
	l.query = query
	q, err := l.kernelQuery()
	if err != nil {
		return nil, nil, err
	}
	ids, err := o.IDs(r.Context(), q, maxBulk+1)
	if len(ids) > maxBulk {
		return nil, nil, errs.New(errs.Invalid, "too_many", "At most %d at a time. Narrow the list with a filter first.", maxBulk)
	}
	return ids, query, err
}

func bulkOperation(r *http.Request, o *record.Object) (record.Operation, string, error) {
	switch r.PostForm.Get("action") {
	case "delete":
		return record.Operation{Kind: record.OpDelete}, "moved to the bin", nil
	case "restore":
		return record.Operation{Kind: record.OpRestore}, "restored", nil
	case "assign":
		patch, err := o.Def.ParseText(map[string]string{"owner_id": r.PostForm.Get("assign_to")}, record.FromText, "")
		return record.Operation{Kind: record.OpUpdate, Patch: patch}, "assigned", err
	}
	return record.Operation{}, "", errs.New(errs.Malformed, "unknown_action", "Choose what to do with the rows.")
}

// applyAll changes what it can and counts what was refused.
func applyAll(ctx context.Context, o *record.Object, ids []uuid.UUID, op record.Operation) (changed, refused int, err error) {
	for len(ids) > 0 {
		n := min(len(ids), record.MaxBatch)
		ops := make([]record.Operation, n)
		for i, id := range ids[:n] {
			ops[i] = op
			ops[i].ID = id
		}
		results, err := o.Apply(ctx, ops, false)
		if err != nil {
			return changed, refused, err
		}
		for _, res := range results {
			switch {
			case res.Err != nil:
				refused++
			case res.Seq != 0:
				changed++
			}
		}
		ids = ids[n:]
	}
	return changed, refused, nil
}

func bulkFlash(f ui.Format, o *record.Object, changed, refused int, done string, batch uuid.UUID) page.Flash {
	noun := lower(o.Def.LabelPlural)
	if changed == 1 {
		noun = lower(o.Def.Label)
	}
	out := page.Flash{Text: f.Integer(changed) + " " + noun + " " + done + ".", Batch: batch}
	if refused > 0 {
		out.Text = f.Integer(changed) + " " + done + ", " + f.Integer(refused) + " not: your role does not allow it, or they are gone."
		out.Bad = changed == 0
	}
	if changed == 0 {
		out.Batch = uuid.Nil
	}
	return out
}
