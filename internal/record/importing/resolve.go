package importing

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// attempt is one try at a chunk. A chunk that meets a deadlock is tried again, so
// nothing of an attempt outlives it unless it commits.
type attempt struct {
	*run
	tx      pgx.Tx
	drafts  []*draft
	patches []record.Patch // drafts' patches with relations and defaults filled in
	errs    []error
	links   []link
	answers map[string]found // by object, with what was made here
	warned  []Warning
	book    *stageBook
	pipes   map[int]uuid.UUID // pipelines that rows named
	tally   tally

	ids     []uuid.UUID // of the records of the rows, once written
	parties []*party
	seats   map[string]map[int]uuid.UUID // object → row → companion
	objects map[string]*Counts

	fresh        []string // unique values a dry run would have written
	guestsBefore map[string]bool
	sample       map[int]*Sampled
	seqs         map[int64]int // journal row → row of the chunk
}

func (at *attempt) warn(w Warning) { at.warned = addWarning(at.warned, w) }

// resolve fills in every relation of the chunk, object by object.
func (at *attempt) resolve(ctx context.Context) error {
	at.answers = map[string]found{}
	for _, object := range at.targets {
		if object == "stage" || object == "pipeline" {
			continue
		}
		if err := at.resolveObject(ctx, object); err != nil {
			return err
		}
	}
	for i, d := range at.drafts {
		if at.errs[i] != nil || d.blank {
			continue
		}
		for _, w := range d.warnings {
			at.warn(w)
		}
		at.point(i)
	}
	return at.resolveStages(ctx)
}

// resolveObject asks for all cells that point to one object, and makes what is
// missing where that was allowed.
func (at *attempt) resolveObject(ctx context.Context, object string) error {
	texts := at.texts(object)
	if len(texts) == 0 {
		return nil
	}
	l, err := at.lookup(ctx, object)
	if err != nil || l == nil {
		return err
	}
	answers, err := l.find(ctx, at.tx, texts)
	if errs.KindOf(err) == errs.Forbidden {
		at.answers[object] = found{} // what may not be read is not there
		return nil
	}
	if err != nil {
		return err
	}
	at.answers[object] = answers
	if !at.mayMake(object) || object == at.def.Name {
		return nil
	}
	return at.makeMissing(ctx, object, at.missing(object, answers), answers)
}

// missing are the names to make records of: of each row that points to nobody the
// first cell that looks like a name rather than another system's id.
func (at *attempt) missing(object string, answers found) []string {
	var out []string
	seen := map[string]bool{}
	for i, d := range at.drafts {
		if at.errs[i] != nil {
			continue
		}
		for name, refs := range d.refsTo(object) {
			if at.patches[i][name] != nil || slices.ContainsFunc(refs, func(r ref) bool { return answers[r.text] != uuid.Nil }) {
				continue
			}
			n := max(slices.IndexFunc(refs, func(r ref) bool { return !allDigits(r.text) }), 0)
			if text := refs[n].text; !seen[text] {
				seen[text] = true
				out = append(out, text)
			}
		}
	}
	return out
}

func (d *draft) refsTo(object string) map[string][]ref {
	out := map[string][]ref{}
	for _, r := range d.refs {
		if r.object() == object {
			out[r.col.target.name] = append(out[r.col.target.name], r)
		}
	}
	return out
}

// texts are the different cells of the chunk that point to an object, in file order.
func (at *attempt) texts(object string) []string {
	var out []string
	seen := map[string]bool{}
	for i, d := range at.drafts {
		if at.errs[i] != nil {
			continue
		}
		for _, r := range d.refs {
			if r.object() == object && !seen[r.text] {
				seen[r.text] = true
				out = append(out, r.text)
			}
		}
	}
	return out
}

// point writes the found ids into the row's patch, and decides what unknown ones mean.
// Several columns may tell of the same record; one that is known is enough.
func (at *attempt) point(i int) {
	d, p := at.drafts[i], at.patches[i]
	for _, r := range d.refs {
		name := r.col.target.name
		if u := at.answers[r.object()][r.text]; u != uuid.Nil && p[name] == nil {
			p[name] = u
		}
	}
	for _, r := range d.refs {
		name := r.col.target.name
		if p[name] == nil && r.object() != "stage" && r.object() != "pipeline" && !at.hosts(name) {
			at.miss(i, r)
		}
	}
}

// hosts reports whether a relation is filled by a companion of the rows.
func (at *attempt) hosts(field string) bool {
	return slices.ContainsFunc(at.others, func(c *companion) bool { return c.link == field })
}

func (at *attempt) miss(i int, r ref) {
	name, object := r.col.target.name, r.object()
	switch {
	case object == at.def.Name:
		at.links = append(at.links, link{draft: i, field: name, text: r.text})
	case r.col.lenient():
		at.warn(warning(name, "unknown_"+object, "There is no %s %q; it was left empty.", object, short(r.text)))
	default:
		at.errs[i] = errs.Field(r.col.Field, "unknown_"+object, "There is no %s %q.", object, short(r.text))
	}
}

func (r ref) object() string { return targetObject(r.col.target.field) }

// lookup is the run's memory of one object; nil for one the kernel does not know.
func (r *run) lookup(ctx context.Context, object string) (*lookup, error) {
	if l, ok := r.lookups[object]; ok {
		return l, nil
	}
	o, ok := r.k.ObjectFor(ctx, object)
	if !ok {
		return nil, nil
	}
	def, err := r.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	r.lookups[object] = newLookup(def)
	return r.lookups[object], nil
}

// mayMake: what a file names and nobody has is made only on demand. People and teams
// come along with an import of people, since a team's list is how one brings them.
func (r *run) mayMake(object string) bool {
	switch object {
	case "account", "product":
		return r.imp.CreateFields
	case "team":
		return r.imp.CreateFields || r.def.Name == "user"
	case "user":
		return r.def.Name == "user"
	}
	return false
}

// makeMissing creates records known by name only, in one save.
func (at *attempt) makeMissing(ctx context.Context, object string, names []string, answers found) error {
	o, ok := at.k.ObjectFor(ctx, object)
	if !ok || len(names) == 0 {
		return nil
	}
	def, err := at.k.Definition(ctx, object)
	if err != nil {
		return err
	}
	// Spellings of one name make one record.
	first := map[string]uuid.UUID{}
	var ops []record.Operation
	for _, name := range names {
		key := squeeze(name)
		if key == "" || len(name) > 200 {
			continue
		}
		if first[key] == uuid.Nil {
			op := record.Operation{Kind: record.OpCreate, ID: id.New(), Patch: at.named(def, name)}
			first[key] = op.ID
			ops = append(ops, op)
		}
		answers[name] = first[key]
	}
	results, err := at.apply(ctx, o, ops)
	if err != nil {
		return err
	}
	for i, res := range results {
		if res.Err == nil {
			continue
		}
		for name, u := range answers {
			if u == ops[i].ID {
				answers[name] = uuid.Nil
			}
		}
	}
	return nil
}

// named is a new record that is known by nothing but its name, address or domain.
func (at *attempt) named(def *record.Definition, text string) record.Patch {
	text = record.CleanText(text)
	p := record.Patch{"name": text}
	if mail, ok := record.NormalEmail(text); ok {
		if _, has := def.Field("email"); has {
			p["email"] = mail
		}
	}
	if _, has := def.Field("domain"); has && isDomain(text) {
		p["domain"] = strings.ToLower(text)
	}
	if def.Name == "user" {
		p["role_id"] = cmp.Or(at.roles["sales_manager"], at.roles["sales_rep"])
		p["state"] = "invited"
	}
	return p
}

func isDomain(s string) bool {
	host, tld, ok := cutLast(s, ".")
	return ok && host != "" && len(tld) >= 2 && !strings.ContainsAny(s, " @/") && !allDigits(tld)
}
