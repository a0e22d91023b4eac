package importing

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// link is a relation to a record of the same file that may come later: a company's
// parent, a person's manager. It waits in import_links until all rows are in.
type link struct {
	draft       int
	record      uuid.UUID // Nil when the row did not get in
	field, text string
}

func (at *attempt) queueLinks(b *pgx.Batch, tenant uuid.UUID) {
	var records []uuid.UUID
	var fields, texts []string
	for _, l := range at.links {
		if l.record != uuid.Nil {
			records, fields, texts = append(records, l.record), append(fields, l.field), append(texts, l.text)
		}
	}
	if len(records) > 0 {
		b.Queue(sqlLinks, tenant, at.imp.ID, records, fields, texts)
	}
}

// drawLinks draws one chunk of waiting links and reports whether there may be more.
func (r *run) drawLinks(ctx context.Context) (bool, error) {
	began := r.Now()
	more := false
	err := r.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := r.lock(ctx, tx, r.imp.offset); err != nil {
			return err
		}
		at := r.attempt(tx, &chunk{})
		waiting, err := at.waiting(ctx)
		if err != nil || len(waiting) == 0 {
			return err
		}
		more = true
		if err := at.draw(ctx, waiting); err != nil {
			return err
		}
		r.imp.Warnings = at.warned
		var ids []uuid.UUID
		for _, l := range waiting {
			ids = append(ids, l.record)
		}
		b := &pgx.Batch{}
		b.Queue(sqlDropLinks, auth.From(ctx).TenantID, r.imp.ID, ids)
		b.Queue(sqlProgress, auth.From(ctx).TenantID, r.imp.ID, r.imp.offset, 0, 0, 0, 0, 0, asJSON(orEmpty(at.warned)), max(r.Now().Sub(began).Milliseconds(), 1), asJSON(at.objects), nil)
		return tx.SendBatch(ctx, b).Close()
	})
	return more, err
}

// waiting reads a page of links that ends with a whole record.
func (at *attempt) waiting(ctx context.Context) ([]link, error) {
	const page = 500
	rows, err := at.tx.Query(ctx, sqlReadLinks, auth.From(ctx).TenantID, at.imp.ID, page)
	if err != nil {
		return nil, err
	}
	links, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l link, err error) {
		return l, row.Scan(&l.record, &l.field, &l.text)
	})
	if err != nil || len(links) < page {
		return links, err
	}
	last := links[page-1].record
	return slices.DeleteFunc(links, func(l link) bool { return l.record == last }), nil
}

// draw finds or makes what the links point to and updates the records.
func (at *attempt) draw(ctx context.Context, waiting []link) error {
	var texts []string
	for _, l := range waiting {
		if !slices.Contains(texts, l.text) {
			texts = append(texts, l.text)
		}
	}
	l, err := at.lookup(ctx, at.def.Name)
	if err != nil || l == nil {
		return err
	}
	answers, err := l.find(ctx, at.tx, texts)
	if err != nil {
		return err
	}
	if at.mayMake(at.def.Name) {
		missing := slices.DeleteFunc(texts, func(t string) bool { return answers[t] != uuid.Nil })
		if err := at.makeMissing(ctx, at.def.Name, missing, answers); err != nil {
			return err
		}
	}
	return at.connect(ctx, waiting, answers)
}

func (at *attempt) connect(ctx context.Context, waiting []link, answers found) error {
	patches := map[uuid.UUID]record.Patch{}
	var order []uuid.UUID
	for _, l := range waiting {
		u := answers[l.text]
		switch {
		case u == uuid.Nil:
			at.warn(warning(l.field, "unknown_"+at.def.Name, "There is no %s %q; it was left empty.", at.def.Name, short(l.text)))
			continue
		case u == l.record:
			at.warn(warning(l.field, "points_to_itself", "%q points to itself; it was left empty.", short(l.text)))
			continue
		case patches[l.record] == nil:
			patches[l.record] = record.Patch{}
			order = append(order, l.record)
		}
		patches[l.record][l.field] = u
	}
	var ops []record.Operation
	for _, u := range order {
		ops = append(ops, record.Operation{Kind: record.OpUpdate, ID: u, Patch: patches[u]})
	}
	results, err := at.apply(ctx, at.object, ops)
	if err != nil {
		return err
	}
	for _, res := range results {
		if res.Err != nil {
			at.warn(warning(reason(res.Err).Field, reason(res.Err).Code, "%s", reason(res.Err).Message))
		}
	}
	return nil
}

// newUser: people come in as sales reps, and as merely invited when they have no
// address to sign in with.
func (at *attempt) newUser(i int) {
	p := at.patches[i]
	if at.def.Name != "user" {
		return
	}
	if p["role_id"] == nil && at.roles["sales_rep"] != nil {
		p["role_id"] = at.roles["sales_rep"]
	}
	if _, set := p["state"]; !set && p["email"] == nil {
		p["state"] = "invited"
	}
}
