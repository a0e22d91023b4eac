package record

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/db"
)

// Row level security hides LIKE from the planner's indexes, so a list with a
// text condition would read the table until it has filled its page: quick when
// the text is common, seconds when it is rare. A list therefore asks the search
// documents first. Few matches come back as ids to choose from; many mean that
// reading in order finds a page soon.

const (
	// mostForFilter is where reading a million rows in order gets cheaper than
	// fetching matches one by one: a page of 50 then is within 17,000 rows.
	mostForFilter = 3000
	// mostForSearch is larger since a search has to look up a document per row
	// when it does read in order.
	mostForSearch = 10_000
	// documentBytes bounds a search document.
	documentBytes = 4000
)

// narrowing is what the search documents know about a query's matches.
type narrowing struct {
	ids      []uuid.UUID // all that can match; only when known
	known    bool
	patterns []string // of the search, when there are too many to name
	def      *Definition
	recheck  bool // what the patterns find must stand in fields of def as well
}

// narrowTo is narrow for a query that is still to be settled.
func (o *Object) narrowTo(ctx context.Context, q Query) (narrowing, Query, error) {
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return narrowing{}, q, err
	}
	q = q.settle(def)
	n, err := o.narrow(ctx, q)
	return n, q, err
}

// narrow asks the search documents, if the query has something for them.
func (o *Object) narrow(ctx context.Context, q Query) (narrowing, error) {
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return narrowing{}, err
	}
	n := narrowing{def: def}
	if o.Def.NoSearch {
		return n, nil
	}
	most := mostForFilter
	patterns := wordPatterns(searchWords(q.Search))
	search := patterns
	if len(patterns) > 0 {
		most = mostForSearch
		if n.recheck = def.hidesSearched(); n.recheck {
			most = mostRechecked
		}
	}
	if q.Trash { // the bin has no documents
		return n, nil
	}
	patterns = append(patterns, o.Def.filterPatterns(q.Filter)...)
	if len(patterns) == 0 {
		return n, nil
	}
	n.patterns = search
	err = o.k.DB.Read(ctx, db.Query{SQL: "select search_candidates($1, $2, $3)", Args: []any{patterns, o.Def.Name, most}}, func(rows pgx.Rows) error {
		ids, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[*[]uuid.UUID])
		if err == nil && ids != nil {
			n.ids, n.known = *ids, true
		}
		return err
	})
	if err == nil && n.known && n.recheck {
		n.ids, err = o.rechecked(ctx, n.ids, searchWords(q.Search))
	}
	return n, err
}

// sql is the predicate that the narrowing adds, "" for none.
func (n narrowing) sql(b *sqlBuilder, q Query, alias string) string {
	switch {
	case n.def == nil:
		return "" // nothing is searched for
	case n.known:
		return fmt.Sprintf("%s.id = any(%s)", alias, b.arg(n.ids))
	case len(n.patterns) > 0:
		// A scalar subquery, so that the planner cannot turn it into a join that
		// reads every document.
		found := fmt.Sprintf("(select d.body from search_documents d where d.tenant_id = %[1]s.tenant_id and d.record_id = %[1]s.id) like all (%[2]s::text[])", alias, b.arg(n.patterns))
		if !n.recheck {
			return found
		}
		return found + " and (" + cmp.Or(b.plainSearch(n.def, searchWords(q.Search), alias), "false") + ")"
	}
	return b.plainSearch(n.def, searchWords(q.Search), alias)
}

// plainSearch looks for words in the columns themselves: for the bin and for
// objects without search documents, of which there are few.
func (b *sqlBuilder) plainSearch(d *Definition, words, alias string) string {
	var cols []string
	for _, f := range d.Fields {
		if (f.Search || f.Title) && !f.Hidden {
			cols = append(cols, fmt.Sprintf("coalesce(%s.%s, '')", alias, f.Column))
		}
	}
	if words == "" || len(cols) == 0 {
		return ""
	}
	var parts []string
	for _, w := range strings.Fields(words) {
		parts = append(parts, fmt.Sprintf("lower(concat_ws(' ', %s)) like %s", strings.Join(cols, ", "), b.arg("%"+escapeLike(w)+"%")))
	}
	return strings.Join(parts, " and ")
}

// wordPatterns are what every word of a search asks of a document. Pieces too
// short for a trigram must begin a word.
func wordPatterns(words string) []string {
	var out []string
	for _, w := range strings.Fields(words) {
		if len(out) == 10 {
			break
		}
		if longestWord(w) < 3 {
			out = append(out, "% "+escapeLike(w)+"%")
			continue
		}
		out = append(out, "%"+escapeLike(w)+"%")
	}
	return out
}

// filterPatterns are the patterns that documents of all matches of a filter
// have: of its text conditions on searched fields that all must hold.
func (d *Definition) filterPatterns(f Filter) []string {
	if d.longDocuments() {
		return nil
	}
	var out []string
	if f.Cond != nil {
		if p := d.condPattern(f.Cond); p != "" {
			out = append(out, p)
		}
	}
	for _, sub := range f.All {
		out = append(out, d.filterPatterns(sub)...)
	}
	return out
}

// longDocuments tells objects whose documents may be cut off: what was cut off
// would be missed.
func (d *Definition) longDocuments() bool {
	for _, f := range d.Fields {
		if f.Search && f.Type.Name() == "long_text" {
			return true
		}
	}
	return false
}

func (d *Definition) condPattern(c *Cond) string {
	if c.Field == nil || c.Relation != nil || !c.Field.Search || c.Field.Custom || len(c.Values) != 1 {
		return ""
	}
	text, ok := c.Values[0].(string)
	text = fold(text)
	if !ok || longestWord(text) < 3 {
		return ""
	}
	switch c.Op {
	case Contains:
		return "%" + escapeLike(text) + "%"
	case StartsWith:
		return "% " + escapeLike(text) + "%"
	case Eq:
		if c.Field.Type.Name() != "email" { // has an index of its own
			return "% " + escapeLike(text) + " %"
		}
	}
	return ""
}

// longestWord is the length of the longest run of letters and digits: what
// trigrams are made of.
func longestWord(s string) int {
	best, n := 0, 0
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			n = 0
			continue
		}
		n++
		best = max(best, n)
	}
	return best
}
