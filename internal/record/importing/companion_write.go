package importing

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// strong are the fields that tell a companion among all of its kind. Names do for
// companies and products; a deal's or a person's name only among those of one company.
var strong = map[string][]string{
	"account": {"external_id", "domain", "name"}, "product": {"external_id", "code", "name"}, "contact": {"external_id", "email"}, "deal": {"external_id"},
}

// guest is one companion record that one or more rows of the chunk mean.
type guest struct {
	rows  []int // in party.rows
	texts []string
	name  string // what it is called within its parent
	above uuid.UUID
	patch record.Patch
	id    uuid.UUID
	fresh bool
}

// host writes the companions that the main records point to, or those that point to
// them, once the main records are there.
func (at *attempt) host(ctx context.Context, before bool) error {
	for _, p := range at.parties {
		if (p.c.link != "") != before {
			continue
		}
		if err := at.hostParty(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (at *attempt) hostParty(ctx context.Context, p *party) error {
	guests := at.invite(p)
	if len(guests) == 0 {
		return nil
	}
	if err := p.recognise(ctx, guests); err != nil {
		return err
	}
	ops, who := p.operations(at, guests)
	results, err := p.apply(ctx, p.object, ops)
	if err != nil {
		return err
	}
	for n, res := range results {
		at.countGuest(p, who[n], res)
	}
	for _, g := range guests {
		at.seat(p, g)
	}
	return nil
}

// invite folds the rows that mean the same record into one guest.
func (at *attempt) invite(p *party) []*guest {
	var out []*guest
	byName := map[string]*guest{}
	for n, i := range p.rows {
		if at.errs[i] != nil || (p.c.link == "" && at.ids[i] == uuid.Nil) {
			continue
		}
		g := at.guestOf(p, n)
		key := g.key()
		if have := byName[key]; have != nil && key != "" {
			have.rows = append(have.rows, n)
			for k, v := range g.patch {
				if have.patch[k] == nil {
					have.patch[k] = v
				}
			}
			continue
		}
		byName[key] = g
		out = append(out, g)
	}
	return out
}

// key is what makes two rows the same guest; "" = nothing does.
func (g *guest) key() string {
	switch {
	case len(g.texts) > 0:
		return "=" + strings.ToLower(g.texts[0])
	case g.name != "":
		return g.above.String() + "/" + strings.ToLower(g.name)
	}
	return ""
}

func (at *attempt) guestOf(p *party, n int) *guest {
	i := p.rows[n]
	g := &guest{rows: []int{n}, patch: p.patches[n]}
	at.connectGuest(p, i, g)
	for _, name := range strong[p.c.name] {
		if v, _ := g.patch[name].(string); v != "" {
			g.texts = append(g.texts, v)
		}
	}
	for _, r := range at.drafts[i].refs {
		if r.object() == p.c.name && p.c.link == r.col.target.name {
			g.called(p, r.text)
		}
	}
	g.name, _ = g.patch["name"].(string)
	if p.c.name == "contact" {
		first, _ := g.patch["first_name"].(string)
		last, _ := g.patch["last_name"].(string)
		g.name = strings.TrimSpace(first + " " + last)
	}
	return g
}

// called: "Company" beside "Company size", or "Contact person" beside "Contact e-mail",
// is a cell that points to the guest and names it.
func (g *guest) called(p *party, text string) {
	mail, isMail := record.NormalEmail(text)
	switch {
	case p.c.name != "contact":
		g.texts = append(g.texts, text)
		if _, has := p.def.Field("name"); has && g.patch["name"] == nil && !allDigits(text) {
			g.patch["name"] = record.CleanText(text)
		}
	case isMail:
		g.texts = append(g.texts, mail)
		if g.patch["email"] == nil {
			g.patch["email"] = mail
		}
	case g.patch["last_name"] == nil:
		named := draft{patch: g.patch}
		named.setName(text)
	}
}

// connectGuest draws the companion's own links: to the main record, to what that
// points to, and to companions written before it.
func (at *attempt) connectGuest(p *party, i int, g *guest) {
	known := map[string]uuid.UUID{at.def.Name: at.ids[i]}
	for _, name := range companionObjects {
		if rel := relationTo(at.def, name); rel != "" {
			known[name], _ = at.patches[i][rel].(uuid.UUID)
		}
	}
	for _, other := range at.parties {
		if u := at.seats[other.c.name][i]; u != uuid.Nil {
			known[other.c.name] = u
		}
	}
	for object, u := range known {
		if rel := relationTo(p.def, object); rel != "" && u != uuid.Nil && object != p.c.name && g.patch[rel] == nil {
			g.patch[rel] = u
		}
	}
	parent := at.def.Name // a deal is told by its name among those of its contact
	if p.c.link != "" {
		parent = "account"
	}
	g.above = known[parent]
}

// recognise finds the guests that are records already.
func (p *party) recognise(ctx context.Context, guests []*guest) error {
	var texts []string
	for _, g := range guests {
		texts = append(texts, g.texts...)
	}
	l, err := p.lookup(ctx, p.c.name)
	if err != nil {
		return err
	}
	answers, err := l.find(ctx, p.tx, texts)
	if err != nil {
		return err
	}
	named := map[string]*guest{}
	for _, g := range guests {
		for _, t := range g.texts {
			if g.id == uuid.Nil {
				g.id = answers[t]
			}
		}
		if g.id == uuid.Nil && g.name != "" && g.above != uuid.Nil && len(strong[p.c.name]) < 3 {
			named[g.above.String()+"/"+strings.ToLower(g.name)] = g
		}
	}
	return p.recogniseNamed(ctx, named)
}

// recogniseNamed looks among the records of the same parent for one of the same name.
func (p *party) recogniseNamed(ctx context.Context, named map[string]*guest) error {
	if len(named) == 0 {
		return nil
	}
	var parents []uuid.UUID
	var rel string
	for _, g := range named {
		parents = append(parents, g.above)
		for _, object := range []string{"contact", "account"} {
			if f := relationTo(p.def, object); f != "" && g.patch[f] == g.above {
				rel = f
			}
		}
	}
	if rel == "" {
		return nil
	}
	called := "t.name"
	if p.c.name == "contact" {
		called = "concat_ws(' ', t.first_name, t.last_name)"
	}
	a, scope, err := auth.Require(ctx, p.def.Name, auth.Read)
	if err != nil {
		return err
	}
	vis, args := seen(a, p.def, scope, []any{a.TenantID, parents})
	rows, err := p.tx.Query(ctx, fmt.Sprintf("select t.id, t.%s, lower(%s) from %s t where t.tenant_id = $1 and t.deleted_at is null and t.%s = any($2)%s order by t.id desc", rel, called, p.def.Table, rel, vis), args...)
	if err != nil {
		return err
	}
	var u, parent uuid.UUID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&u, &parent, &name}, func() error {
		if g := named[parent.String()+"/"+name]; g != nil {
			g.id = u
		}
		return nil
	})
	return err
}

// operations: those found are linked, and changed when the mode changes records; those
// not found are made, unless the mode makes none.
func (p *party) operations(at *attempt, guests []*guest) (ops []record.Operation, who []*guest) {
	for _, g := range guests {
		switch {
		case g.id != uuid.Nil && at.imp.Mode == Create:
			continue
		case g.id != uuid.Nil:
			ops = append(ops, record.Operation{Kind: record.OpUpdate, ID: g.id, Patch: g.patch})
		case at.imp.Mode == Update:
			at.warn(warning(p.c.name, "unknown_"+p.c.name, "There is no %s %q; it was left out.", p.c.name, short(g.name)))
			continue
		default:
			p.patches[g.rows[0]] = g.patch
			p.newDeal(g.rows[0])
			g.id, g.fresh = id.New(), true
			ops = append(ops, record.Operation{Kind: record.OpCreate, ID: g.id, Patch: g.patch})
		}
		who = append(who, g)
	}
	return ops, who
}

func (at *attempt) countGuest(p *party, g *guest, res record.Result) {
	c := at.objects[p.c.name]
	if c == nil {
		c = &Counts{}
		at.objects[p.c.name] = c
	}
	switch {
	case res.Err != nil:
		at.refuseGuest(p, g, res.Err)
		c.Failed++
		g.id = uuid.Nil
	case res.Created && !at.before(p, g):
		c.Created++
	case !res.Created && res.Seq != 0:
		c.Updated++
	}
}

// refuseGuest: while the main record is not written its row is refused with the
// companion; afterwards it can only be told.
func (at *attempt) refuseGuest(p *party, g *guest, err error) {
	why := reason(err)
	field := strings.TrimSuffix(p.c.name+"."+why.Field, ".")
	if p.c.link == "" {
		at.warn(warning(field, why.Code, "Row %d: %s", p.drafts[g.rows[0]].row, why.Message))
		return
	}
	for _, n := range g.rows {
		at.errs[p.rows[n]] = errs.Field(field, why.Code, "%s: %s", p.def.Label, why.Message)
	}
}

// seat notes which record each row has, and points the main record to it.
func (at *attempt) seat(p *party, g *guest) {
	if g.id == uuid.Nil {
		return
	}
	if at.seats[p.c.name] == nil {
		at.seats[p.c.name] = map[int]uuid.UUID{}
	}
	for _, n := range g.rows {
		i := p.rows[n]
		at.seats[p.c.name][i] = g.id
		if p.c.link != "" {
			at.patches[i][p.c.link] = g.id
		}
	}
	if at.answers[p.c.name] == nil {
		at.answers[p.c.name] = found{}
	}
	answers := found{}
	for _, t := range g.texts {
		answers[t] = g.id
	}
	maps.Copy(at.answers[p.c.name], answers)
}
