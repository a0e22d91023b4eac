package messaging

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// Names a template finds filled in. For a message to a lead, contact means the
// lead, so that one template serves both; account is then the lead's company.
var knownNames = []string{"contact", "lead", "account", "sender", "unsubscribe_url"}

// checkNames refuses fields that contact, lead and account do not have: a typo
// would otherwise print as nothing, to a thousand people.
func (s *Service) checkNames(ctx context.Context, field string, names []string, refused *errs.Fields) error {
	for _, name := range names {
		root, rest, _ := strings.Cut(name, ".")
		if _, known := s.k.Object(root); !known || !slices.Contains(knownNames, root) {
			continue
		}
		def, err := s.k.Definition(ctx, root)
		if err != nil {
			return err
		}
		if !hasField(def, rest) && !(root == "contact" && s.isLeadField(ctx, rest)) {
			refused.Add(field, "unknown_variable", "There is no {{ %s }}. Fields of %s are listed under Objects & fields.", name, strings.ToLower(def.LabelPlural))
		}
	}
	return nil
}

// hasField looks up the beginning of a path; what is inside a value is up to it.
func hasField(def *record.Definition, path string) bool {
	first, rest, _ := strings.Cut(path, ".")
	if first == "custom" && rest != "" {
		second, _, _ := strings.Cut(rest, ".")
		first += "." + second
	}
	_, ok := def.Field(first)
	return ok || first == "" || first == "name" || first == "custom"
}

func (s *Service) isLeadField(ctx context.Context, path string) bool {
	if _, ok := s.k.Object("lead"); !ok {
		return false
	}
	def, err := s.k.Definition(ctx, "lead")
	return err == nil && hasField(def, path)
}

// missing names what the text reads and nobody gave.
func missing(names []string, given map[string]any) error {
	var refused errs.Fields
	for _, name := range names {
		root, _, _ := strings.Cut(name, ".")
		if _, ok := given[root]; !ok && !slices.Contains(knownNames, root) {
			refused.Add("variables", "missing_variable", "The text uses {{ %s }}. Give %q in variables, null for none.", name, root)
		}
	}
	return refused.Err()
}

// checkGiven keeps a caller's variables from taking the place of the product's.
func checkGiven(given map[string]any) error {
	for _, name := range knownNames {
		if _, ok := given[name]; ok {
			return errs.Field("variables", "reserved", "%q is filled in by the product. Give your variable another name.", name)
		}
	}
	return nil
}

// person is who a message is for: a contact or a lead.
type person struct {
	object     string         // "contact" or "lead"
	rec        *record.Record // as the sender sees it
	leaveAlone bool
}

// fill gathers the values for the names the text reads.
func (s *Service) fill(ctx context.Context, p *person, given map[string]any, names []string, unsubscribe string) (map[string]any, error) {
	vars := map[string]any{"unsubscribe_url": unsubscribe}
	for k, v := range given {
		vars[k] = v
	}
	if p != nil {
		values := plainRecord(p.rec)
		vars[p.object], vars["contact"] = values, values
	}
	var err error
	if uses(names, "account") && p != nil {
		if vars["account"], err = s.company(ctx, p); err != nil {
			return nil, err
		}
	}
	if uses(names, "sender") {
		vars["sender"], err = s.sender(ctx)
	}
	return vars, err
}

func uses(names []string, root string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n == root || strings.HasPrefix(n, root+".") })
}

// company is the account of a contact, as far as the actor may see it, or what a
// lead says of its own.
func (s *Service) company(ctx context.Context, p *person) (map[string]any, error) {
	if p.object == "lead" {
		return map[string]any{"name": p.rec.Text("company"), "website": p.rec.Text("website"), "industry": p.rec.Text("industry")}, nil
	}
	id, ok := p.rec.Get("account_id").(uuid.UUID)
	accounts, known := s.k.Object("account")
	if !ok || !known {
		return nil, nil
	}
	rec, err := accounts.Get(ctx, id)
	if hidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return plainRecord(rec), nil
}

// sender is the person who sends.
func (s *Service) sender(ctx context.Context) (map[string]any, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	users, known := s.k.Object("user")
	if a.Kind != auth.User || !known {
		return map[string]any{"name": a.Name}, nil
	}
	rec, err := users.Get(ctx, a.ID)
	if hidden(err) {
		return map[string]any{"name": a.Name}, nil
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"name": rec.Title(), "email": rec.Text("email")}, nil
}

// hidden tells what is not there, or not for this actor, from a real failure.
func hidden(err error) bool {
	kind := errs.KindOf(err)
	return err != nil && (kind == errs.NotFound || kind == errs.Forbidden)
}

// plainRecord is a record in the plain data templates understand, with the
// person's or company's name beside its fields.
func plainRecord(rec *record.Record) map[string]any {
	out := map[string]any{"name": rec.Title()}
	for _, f := range rec.Def.Fields {
		if f.Hidden {
			continue
		}
		switch v := rec.Get(f.Name).(type) {
		case nil:
		case uuid.UUID:
			out[f.Name] = v.String()
		case money.Amount:
			out[f.Name] = map[string]any{"amount": v.Decimal(), "currency": v.Currency}
		default:
			out[f.Name] = v
		}
	}
	return out
}
