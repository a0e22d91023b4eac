package contacts

import (
	"context"
	"io"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/vcard"
	"crm/internal/record"
)

// MaxCards is how many people one file of cards may hold.
const MaxCards = 5000

// WriteCards writes the people a query matches as vCards, with the names of their
// companies as far as the actor may read those. It refuses a selection that is too
// large before it writes anything.
func (s *Service) WriteCards(ctx context.Context, q record.Query, w io.Writer) error {
	n, err := s.Contacts.CountAll(ctx, q)
	if err != nil {
		return err
	}
	if n > MaxCards {
		return errs.New(errs.Malformed, "too_many", "A file of cards holds at most %d people, the selection has %d. Narrow it, or export a table.", MaxCards, n)
	}
	return s.Contacts.Stream(ctx, q, func(ctx context.Context, batch []*record.Record) error {
		people := make([]*Contact, len(batch))
		for i, r := range batch {
			people[i] = record.To[Contact](r)
		}
		return s.writeCards(ctx, people, w)
	})
}

// WriteCard writes one person as a vCard.
func (s *Service) WriteCard(ctx context.Context, id uuid.UUID, w io.Writer) error {
	c, err := s.Contacts.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.writeCards(ctx, []*Contact{c}, w)
}

func (s *Service) writeCards(ctx context.Context, people []*Contact, w io.Writer) error {
	var ids []uuid.UUID
	for _, c := range people {
		if c.AccountID != nil {
			ids = append(ids, *c.AccountID)
		}
	}
	companies, err := s.k.Titles(ctx, "account", ids)
	if err != nil {
		return err
	}
	for _, c := range people {
		company := ""
		if c.AccountID != nil {
			company = companies[*c.AccountID]
		}
		if err := vcard.Write(w, card(c, company)); err != nil {
			return err
		}
	}
	return nil
}

// card is a person in the words of a vCard. UID lets an address book find the card
// again when it is loaded anew.
func card(c *Contact, company string) vcard.Card {
	name := strings.TrimSpace(c.FirstName + " " + c.LastName)
	if name == "" {
		name = c.Email
	}
	out := vcard.Card{
		{Name: "N", Value: vcard.Structured(c.LastName, c.FirstName, "", "", "")},
		{Name: "FN", Value: vcard.Structured(name)},
		{Name: "UID", Value: "urn:uuid:" + c.ID.String()},
	}
	add := func(name, value string, types ...string) {
		if value != "" {
			out = append(out, vcard.Property{Name: name, Types: types, Value: vcard.Structured(value)})
		}
	}
	for _, e := range kept(c.Emails) {
		add("EMAIL", e.value, cardTypes("internet", e)...)
	}
	for _, e := range kept(c.Phones) {
		add("TEL", e.value, cardTypes("voice", e)...)
	}
	add("ORG", company)
	add("TITLE", c.Title)
	if a := c.Address; len(a) > 0 {
		part := func(key string) string { s, _ := a[key].(string); return s }
		out = append(out, vcard.Property{Name: "ADR", Types: []string{"work"}, Value: vcard.Structured("", "", part("street"), part("city"), part("region"), part("postal_code"), part("country"))})
	}
	if len(c.Tags) > 0 {
		tags := make([]string, len(c.Tags))
		for i, tag := range c.Tags {
			tags[i] = vcard.Structured(tag)
		}
		out = append(out, vcard.Property{Name: "CATEGORIES", Value: strings.Join(tags, ",")})
	}
	return append(out, vcard.Property{Name: "REV", Value: c.UpdatedAt.UTC().Format("2006-01-02T15:04:05Z")})
}

// cardTypes are those labels a vCard knows.
func cardTypes(kind string, e entry) []string {
	out := []string{kind}
	switch e.label {
	case "work", "home":
		out = append(out, e.label)
	case "mobile":
		out = append(out, "cell")
	}
	if e.primary {
		out = append(out, "pref")
	}
	return out
}
