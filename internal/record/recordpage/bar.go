package recordpage

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/web/ui"
)

// Bar is what stands above a list, for another view of it: the search field, the
// chips, and the query they mean.
type Bar struct {
	Query     record.Query // Filter and Search
	Search    *ui.Search
	Filters   []ui.Filter
	Builder   *ui.FilterBuilder
	ClearHref string
}

// Bar reads the address of a list the way the table does.
func (p *Pages) Bar(r *http.Request, object string) (*Bar, error) {
	o, ok := p.k.ObjectFor(r.Context(), object)
	if !ok {
		return nil, errNoPage()
	}
	l, err := p.listing(r, o)
	if err != nil {
		return nil, err
	}
	w := wanted{}
	l.wantFilters(w)
	if l.names, err = p.load(r.Context(), l.base, w); err != nil {
		return nil, err
	}
	q, err := l.kernelQuery()
	if err != nil {
		return nil, err
	}
	b := &Bar{Query: record.Query{Filter: q.Filter, Search: q.Search}, Filters: l.filters(), ClearHref: l.clearHref()}
	b.Search = &ui.Search{Action: l.self, Value: l.query.Get("q"), Label: "Search " + lower(l.def.LabelPlural), Keep: keep(l.query, "q", "cursor", "from")}
	b.Builder, err = l.builder()
	return b, err
}

// Titles names records as far as the reader may see them; one query.
func (p *Pages) Titles(ctx context.Context, object string, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	w := wanted{}
	for _, id := range ids {
		w.add(object, id)
	}
	n, err := p.load(ctx, "", w)
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID]string{}
	for id, rec := range n.found[object] {
		out[id] = rec.Title()
	}
	return out, nil
}

// May reports whether the actor may do something to this record, for deciding
// which buttons to draw. The kernel decides what happens.
func May(a *auth.Actor, action auth.Action, rec *record.Record) bool { return may(a, action, rec) }

// ScoreOf is a record's score for drawing, nil when it has none.
func ScoreOf(rec *record.Record) *ui.Score { return headScore(rec) }

// ReadForm reads some fields of an object from a sent form, the way the generic
// forms do. Refusals are one Invalid error.
func (p *Pages) ReadForm(r *http.Request, object string, names ...string) (record.Patch, error) {
	if err := r.ParseForm(); err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	def, err := p.k.Definition(r.Context(), object)
	if err != nil {
		return nil, err
	}
	var fields []*record.Field
	for _, name := range names {
		if f, ok := def.Field(name); ok {
			fields = append(fields, f)
		}
	}
	a := auth.From(r.Context())
	patch, refused := readForm(fields, r.PostForm, def, zoneOf(a), a.Currency)
	return patch, refused.Err()
}

// LastChange is the journal row of a record's newest change, for a way back; 0
// when there is none.
func (p *Pages) LastChange(ctx context.Context, object string, id uuid.UUID) (int64, error) {
	entries, err := p.k.Timeline(ctx, object, id, 0, 5)
	for _, e := range entries {
		if e.RecordID == id && len(e.Changes) > 0 {
			return e.Seq, err
		}
	}
	return 0, err
}
