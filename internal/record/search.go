package record

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// searchDepth is how many hits a ranked list has at most, over all its pages.
const searchDepth = 1000

// fold makes text comparable: lower case without accents, words apart.
func fold(s string) string {
	if isASCII(s) {
		return strings.Join(strings.Fields(strings.ToLower(s)), " ")
	}
	t := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	out, _, err := transform.String(t, strings.ToLower(s))
	if err != nil {
		out = strings.ToLower(s)
	}
	return strings.Join(strings.Fields(letters.Replace(out)), " ")
}

// letters that decomposition leaves alone.
var letters = strings.NewReplacer("ß", "ss", "ø", "o", "æ", "ae", "œ", "oe", "ł", "l", "đ", "d", "ı", "i")

// searchWords prepares what a person typed. A phone number, however it is
// written, becomes its digits without the zeros in front: documents hold the
// international form.
func searchWords(q string) string {
	if digits := dialled(q); digits != "" {
		return digits
	}
	q = fold(CleanText(q))
	return strings.TrimSpace(strings.ToValidUTF8(q[:min(len(q), 200)], ""))
}

// dialled are the digits of something that looks like a phone number.
func dialled(q string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(q) {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case !strings.ContainsRune(" +-/().", r):
			return ""
		}
	}
	if digits := strings.TrimLeft(b.String(), "0"); len(digits) >= 5 {
		return digits
	}
	return ""
}

// document is the searchable text of a record, with a space at both ends so
// that patterns can ask for the beginning and the end of a word.
func (r *Record) document() string {
	var parts []string
	for i, f := range r.Def.Fields {
		if f.Search && r.Values[i] != nil {
			parts = append(parts, f.Type.Text(r.Values[i]))
		}
	}
	doc := fold(strings.Join(parts, " "))
	if len(doc) > documentBytes {
		doc = strings.TrimSpace(strings.ToValidUTF8(doc[:documentBytes], ""))
	}
	return " " + doc + " "
}

// documentChanged reports whether what search knows of a record is out of date.
func documentChanged(c *Change) bool {
	if c.Old == nil || c.Old.Deleted() {
		return true
	}
	for i, f := range c.New.Def.Fields {
		if (f.Search || f.Title || f.Name == "owner_id" || f.Name == "team_id") && !Same(c.Old.Values[i], c.New.Values[i]) {
			return true
		}
	}
	return false
}

// queueSearch keeps the search documents in step, in the same transaction.
func (o *Object) queueSearch(b *pgx.Batch, tenant uuid.UUID, changes []*Change) {
	if o.Def.NoSearch {
		return
	}
	in := newColumns("search_documents", tenant)
	var ids, objects, titles, bodies, owners, teams []*string
	var gone []uuid.UUID
	for _, c := range changes {
		switch {
		case c.New.Deleted():
			gone = append(gone, c.New.ID())
		case documentChanged(c):
			ids = append(ids, sqlText(c.New.ID()))
			objects = append(objects, sqlText(o.Def.Name))
			titles = append(titles, sqlText(c.New.Title()))
			bodies = append(bodies, sqlText(c.New.document()))
			owners = append(owners, sqlText(c.New.Get("owner_id")))
			teams = append(teams, sqlText(c.New.Get("team_id")))
		}
	}
	if len(gone) > 0 {
		b.Queue("delete from search_documents where tenant_id = $1 and record_id = any($2)", tenant, gone)
	}
	if len(ids) == 0 {
		return
	}
	in.add("record_id", "uuid", ids)
	in.add("object", "text", objects)
	in.add("title", "text", titles)
	in.add("body", "text", bodies)
	in.add("owner_id", "uuid", owners)
	in.add("team_id", "uuid", teams)
	in.queue(b, "on conflict on constraint search_documents_pkey do update set title = excluded.title, body = excluded.body, owner_id = excluded.owner_id, team_id = excluded.team_id")
}

// Hit is one search result the actor may see.
type Hit struct {
	Object string
	Record *Record
}

// Search finds records of every object, best first: the word itself, then what
// begins with it, then what contains it; what is spelled like it when there is
// nothing else.
func (k *Kernel) Search(ctx context.Context, query string, limit int) ([]Hit, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	words := searchWords(query)
	if words == "" {
		return nil, nil
	}
	whole, err := k.searchedWhole(ctx)
	if err != nil {
		return nil, err
	}
	depth := limit
	if !whole {
		depth = max(limit, searchDepth) // some will be dropped
	}
	order, err := k.findHits(ctx, a, words, depth)
	if err == nil && len(order) == 0 && whole {
		if words, err = k.respell(ctx, words); err == nil && words != "" {
			order, err = k.findHits(ctx, a, words, limit)
		}
	}
	if err != nil {
		return nil, err
	}
	byObject := map[string][]uuid.UUID{}
	for _, f := range order {
		byObject[f.object] = append(byObject[f.object], f.id)
	}
	records := map[uuid.UUID]*Record{}
	for object, ids := range byObject {
		got, err := k.getManyOf(ctx, object, ids)
		if err != nil {
			return nil, err
		}
		maps.Copy(records, got)
	}
	var out []Hit
	for _, f := range order {
		if r := records[f.id]; r != nil && len(out) < limit && (whole || r.finds(words)) {
			out = append(out, Hit{Object: f.object, Record: r})
		}
	}
	return out, nil
}

type foundHit struct {
	object string
	id     uuid.UUID
}

func (k *Kernel) findHits(ctx context.Context, a *auth.Actor, words string, limit int) ([]foundHit, error) {
	b := &sqlBuilder{actor: a}
	from := b.searchFunction(words, k.ObjectsFor(ctx), limit)
	if from == "" {
		return nil, nil
	}
	var out []foundHit
	err := k.DB.Read(ctx, db.Query{SQL: "select s.object, s.record_id from " + from + " s", Args: b.args}, func(rows pgx.Rows) error {
		for rows.Next() {
			var f foundHit
			if err := rows.Scan(&f.object, &f.id); err != nil {
				return err
			}
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

// searchFunction is the call of search_records over the objects the actor may
// read, each within its scope: a search that dropped what is not visible only
// afterwards would show somebody with few records nothing. "" when there are none.
func (b *sqlBuilder) searchFunction(words string, objects []*Object, depth int) string {
	byScope := map[auth.Scope][]string{}
	for _, o := range objects {
		if o.Def.NoSearch {
			continue
		}
		scope := b.actor.Grants.Scope(o.Def.Name, auth.Read)
		if scope != auth.None && !o.Def.Owned {
			scope = auth.All
		}
		byScope[scope] = append(byScope[scope], o.Def.Name)
	}
	if len(byScope[auth.All])+len(byScope[auth.Team])+len(byScope[auth.Own]) == 0 {
		return ""
	}
	names := func(s auth.Scope) string { return b.arg(append([]string{}, byScope[s]...)) }
	return fmt.Sprintf("search_records(%s, %s, %s, %s, %s, %s, %s, %d)", b.arg(words), names(auth.All), names(auth.Team), names(auth.Own),
		b.arg(b.actor.ID), b.arg(append([]uuid.UUID{}, b.actor.TeamUsers...)), b.arg(append([]uuid.UUID{}, b.actor.TeamIDs...)), depth)
}

// listRanked is a list's page for a search without an order of its own.
func (o *Object) listRanked(ctx context.Context, a *auth.Actor, scope auth.Scope, q Query) (*Page, error) {
	words := searchWords(q.Search)
	page, err := o.rankedPage(ctx, a, scope, q, words)
	if err != nil || len(page.Records) > 0 {
		return page, err
	}
	// The words that others are corrected to may stand in hidden fields.
	if whole, err := o.k.searchedWhole(ctx); err != nil || !whole {
		return page, err
	}
	if words, err = o.k.respell(ctx, words); err != nil || words == "" {
		return page, err
	}
	return o.rankedPage(ctx, a, scope, q, words)
}

func (o *Object) rankedPage(ctx context.Context, a *auth.Actor, scope auth.Scope, q Query, words string) (*Page, error) {
	b := &sqlBuilder{actor: a, defs: o.k.resolver(ctx)}
	from := b.searchFunction(words, []*Object{o}, searchDepth)
	unsearched := q
	unsearched.Search = ""
	where, err := o.listWhere(b, scope, unsearched, narrowing{})
	if err != nil {
		return nil, err
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	if def.hidesSearched() {
		ids, err := o.rankedIDs(ctx, a, words)
		if err != nil {
			return nil, err
		}
		where += " and t.id = any(" + b.arg(ids) + ")"
	}
	from += " s join " + o.Def.Table + " t on t.tenant_id = " + b.arg(a.TenantID) + " and t.id = s.record_id"
	var queries []db.Query
	if q.Count {
		queries = append(queries, db.Query{SQL: "select count(*) from " + from + " where " + where, Args: append([]any(nil), b.args...)})
	}
	if q.Cursor != "" {
		rank, last, err := decodeRank(q.Cursor, a.TenantID)
		if err != nil {
			return nil, err
		}
		where += fmt.Sprintf(" and (s.rank, t.id) < (%s::real, %s)", b.arg(rank), b.arg(last))
	}
	queries = append(queries, db.Query{Args: b.args, SQL: fmt.Sprintf("select %s, s.rank::text from %s where %s order by s.rank desc, t.id desc limit %d",
		o.Def.selectList(), from, where, q.Limit+1)})
	return def.readRanked(ctx, o.k.DB, a, q, queries)
}

func (d *Definition) readRanked(ctx context.Context, database *db.DB, a *auth.Actor, q Query, queries []db.Query) (*Page, error) {
	page := &Page{}
	var ranks []string
	err := database.ReadMany(ctx, queries, func(i int, rows pgx.Rows) error {
		if i < len(queries)-1 {
			n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
			page.Count = &n
			return err
		}
		var buf []cell
		for rows.Next() {
			buf = cells(rows, buf)
			page.Records = append(page.Records, d.scan(buf))
			ranks = append(ranks, buf[len(buf)-1].text())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(page.Records) > q.Limit {
		page.Records = page.Records[:q.Limit]
		page.Next = encodeRank(a.TenantID, ranks[q.Limit-1], page.Records[q.Limit-1].ID())
	}
	return page, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
