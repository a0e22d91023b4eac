package record

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// Search documents hold the text of all fields, whoever looks. For a role from which
// one of those is hidden, finding a record must not tell that the word stands there:
// what the documents find is looked at again, over the fields the role has.

// mostRechecked is how many hits of a list's search are looked at again one by one.
const mostRechecked = 1000

// hidesSearched reports whether a field that search documents hold is hidden.
func (d *Definition) hidesSearched() bool {
	return d.whole != nil && slices.ContainsFunc(d.whole.Fields, func(f *Field) bool { return f.Search && d.byName[f.Name] == nil })
}

// finds reports whether every word stands in the fields of the record, as a list's
// search would find them in its document.
func (r *Record) finds(words string) bool {
	doc := r.document()
	for _, w := range strings.Fields(words) {
		if longestWord(w) < 3 {
			w = " " + w
		}
		if !strings.Contains(doc, w) {
			return false
		}
	}
	return true
}

// rechecked keeps the ids of records that the words are found in by what the actor
// may see of them.
func (o *Object) rechecked(ctx context.Context, ids []uuid.UUID, words string) ([]uuid.UUID, error) {
	found, err := o.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return found[id] == nil || !found[id].finds(words) }), nil
}

// rankedIDs are the hits of a ranked list that a role with hidden fields may know of.
func (o *Object) rankedIDs(ctx context.Context, a *auth.Actor, words string) ([]uuid.UUID, error) {
	b := &sqlBuilder{actor: a}
	from := b.searchFunction(words, []*Object{o}, searchDepth)
	if from == "" {
		return nil, nil
	}
	var ids []uuid.UUID
	err := o.k.DB.Read(ctx, db.Query{SQL: "select s.record_id from " + from + " s", Args: b.args}, func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return nil, err
	}
	return o.rechecked(ctx, ids, words)
}

// searchedWhole reports whether the actor sees every searched field of every object
// it may read: then no hit needs a second look.
func (k *Kernel) searchedWhole(ctx context.Context) (bool, error) {
	for _, o := range k.ObjectsFor(ctx) {
		if o.Def.NoSearch || fieldLimits(ctx, o.Def.Name) == nil {
			continue
		}
		def, err := k.Definition(ctx, o.Def.Name)
		if err != nil || def.hidesSearched() {
			return false, err
		}
	}
	return true, nil
}
