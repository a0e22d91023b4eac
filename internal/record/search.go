package record

import (
	"context"
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

// searchDepth is how many hits of one object a search considers before rights
// and filters are applied.
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

// searchWords prepares what a person typed.
func searchWords(q string) string {
	q = fold(CleanText(q))
	return q[:min(len(q), 200)]
}

// document is the searchable text of a record.
func (r *Record) document() string {
	var parts []string
	for i, f := range r.Def.Fields {
		if f.Search && r.Values[i] != nil {
			parts = append(parts, f.Type.Text(r.Values[i]))
		}
	}
	doc := fold(strings.Join(parts, " "))
	return doc[:min(len(doc), 4000)]
}

// queueSearch keeps the search documents in step, in the same transaction.
func (o *Object) queueSearch(b *pgx.Batch, tenant uuid.UUID, changes []*Change) {
	if o.Def.NoSearch {
		return
	}
	in := newColumns("search_documents", tenant)
	var ids, objects, titles, bodies []*string
	var gone []uuid.UUID
	for _, c := range changes {
		switch {
		case c.New.Deleted():
			gone = append(gone, c.New.ID())
		case c.Old == nil || c.Old.Deleted() || c.Old.document() != c.New.document() || c.Old.Title() != c.New.Title():
			ids = append(ids, sqlText(c.New.ID()))
			objects = append(objects, sqlText(o.Def.Name))
			titles = append(titles, sqlText(c.New.Title()))
			bodies = append(bodies, sqlText(c.New.document()))
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
	b.Queue(in.sql("on conflict on constraint search_documents_pkey do update set title = excluded.title, body = excluded.body", ""), in.args...)
}

// Hit is one search result the actor may see.
type Hit struct {
	Object string
	Record *Record
}

// Search finds records of every object by prefix and by similarity, best first.
func (k *Kernel) Search(ctx context.Context, query string, limit int) ([]Hit, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	words := searchWords(query)
	if words == "" {
		return nil, nil
	}
	var readable []string
	for _, o := range k.order {
		if !o.Def.NoSearch && a.Grants.Scope(o.Def.Name, auth.Read) != auth.None {
			readable = append(readable, o.Def.Name)
		}
	}
	type found struct {
		object string
		id     uuid.UUID
	}
	var order []found
	q := db.Query{SQL: "select object, record_id from search_records($1, $2, $3)", Args: []any{words, readable, limit * 4}}
	err = k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		for rows.Next() {
			var f found
			if err := rows.Scan(&f.object, &f.id); err != nil {
				return err
			}
			order = append(order, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	byObject := map[string][]uuid.UUID{}
	for _, f := range order {
		byObject[f.object] = append(byObject[f.object], f.id)
	}
	records := map[uuid.UUID]*Record{}
	for object, ids := range byObject {
		got, err := k.objects[object].GetMany(ctx, ids)
		if err != nil {
			return nil, err
		}
		for id, r := range got {
			records[id] = r
		}
	}
	var out []Hit
	for _, f := range order {
		if r := records[f.id]; r != nil && len(out) < limit {
			out = append(out, Hit{Object: f.object, Record: r})
		}
	}
	return out, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
