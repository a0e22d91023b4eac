package importing

import (
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
	tally   tally
}

// link is a relation to the same object that could not be found yet.
type link struct {
	draft       int
	field, text string
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
		for _, r := range d.refs {
			at.point(i, r)
		}
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
	missing := slices.DeleteFunc(texts, func(t string) bool { return answers[t] != uuid.Nil })
	return at.makeMissing(ctx, object, missing, answers)
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
			if targetObject(r.col.target.field) == object && !seen[r.text] {
				seen[r.text] = true
				out = append(out, r.text)
			}
		}
	}
	return out
}

// point writes the found id into the patch, or decides what an unknown one means.
func (at *attempt) point(i int, r ref) {
	object := targetObject(r.col.target.field)
	name := r.col.target.name
	if object == "stage" || object == "pipeline" {
		return
	}
	if _, set := at.patches[i][name]; set {
		return
	}
	if u := at.answers[object][r.text]; u != uuid.Nil {
		at.patches[i][name] = u
		return
	}
	switch {
	case object == at.def.Name:
		at.links = append(at.links, link{i, name, r.text})
	case r.col.lenient():
		at.warn(warning(name, "unknown_"+object, "There is no %s %q; it was left empty.", object, short(r.text)))
	default:
		at.errs[i] = errs.Field(r.col.Field, "unknown_"+object, "There is no %s %q.", object, short(r.text))
	}
}

// lookup is the run's memory of one object; nil for one the kernel does not know.
func (r *run) lookup(ctx context.Context, object string) (*lookup, error) {
	if l, ok := r.lookups[object]; ok {
		return l, nil
	}
	o, ok := r.k.Object(object)
	if !ok {
		return nil, nil
	}
	r.lookups[object] = newLookup(o.Def)
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
	o, ok := at.k.Object(object)
	if !ok || len(names) == 0 {
		return nil
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
			op := record.Operation{Kind: record.OpCreate, ID: id.New(), Patch: at.named(o.Def, name)}
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
		p["role_id"] = at.roles["sales_manager"]
		p["state"] = "invited"
	}
	return p
}

func isDomain(s string) bool {
	host, tld, ok := cutLast(s, ".")
	return ok && host != "" && len(tld) >= 2 && !strings.ContainsAny(s, " @/") && !allDigits(tld)
}
