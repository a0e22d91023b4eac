package importing

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/vcard"
	"crm/internal/record/csvsafe"
)

// cardHeadings are the columns a file of vCards is turned into; a column nobody on the
// object knows is left out like any other.
var cardHeadings = []string{
	"first_name", "last_name", "email", "emails", "phone", "phones", "title", "company", "website", "tags",
	"address.street", "address.city", "address.region", "address.postal_code", "address.country",
}

// tabled turns an upload of vCards into one of a table, which then goes the way of
// every file; other uploads stay as they are. The cards are discarded.
func (s *Service) tabled(ctx context.Context, up *Upload) (*Upload, error) {
	if !vcard.Begins(up.head) {
		return up, nil
	}
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	f, err := s.Files.Open(ctx, fileName(a.TenantID, up.id))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out, in := io.Pipe()
	go func() { in.CloseWithError(writeCards(in, f)) }()
	table, err := s.Store(ctx, out)
	_ = out.Close() // ends the writer when the store gave up
	if err != nil {
		return nil, err
	}
	s.Discard(ctx, up)
	return table, nil
}

func writeCards(w io.Writer, r io.Reader) error {
	out := csv.NewWriter(w)
	if err := out.Write(cardHeadings); err != nil {
		return err
	}
	cards := vcard.NewReader(r)
	for {
		c, err := cards.Read()
		if errors.Is(err, io.EOF) {
			out.Flush()
			return out.Error()
		}
		if errors.Is(err, vcard.ErrTooLong) {
			return notCSV("One card of the file is far too long; probably it is damaged.")
		}
		if err != nil {
			return errs.Wrap(err, errs.Malformed, "body_unreadable", "The file could not be read to its end.")
		}
		row := cardRow(c)
		for i := range row {
			row[i] = csvsafe.Guard(row[i])
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write a card as a row: %w", err)
		}
	}
}

func cardRow(c vcard.Card) []string {
	first, last := cardName(c)
	email, emails := cardList(c.All("EMAIL"), "mailto:")
	phone, phones := cardList(c.All("TEL"), "tel:")
	company := ""
	if org := c.All("ORG"); len(org) > 0 {
		company = org[0].Parts()[0]
	}
	adr := make([]string, 7)
	if found := c.All("ADR"); len(found) > 0 {
		copy(adr, found[0].Parts())
	}
	return []string{
		first, last, email, emails, phone, phones, c.First("TITLE"), company, c.First("URL"), c.First("CATEGORIES"),
		adr[2], adr[3], adr[4], adr[5], adr[6],
	}
}

func cardName(c vcard.Card) (first, last string) {
	for _, p := range c.All("N") {
		parts := append(p.Parts(), "", "")
		if first, last = parts[1], parts[0]; first+last != "" {
			return first, last
		}
	}
	name := c.First("FN")
	if i := strings.LastIndexByte(name, ' '); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// cardList is the preferred value, and all of them as the product keeps them.
func cardList(props []vcard.Property, scheme string) (string, string) {
	var list []map[string]any
	first := ""
	for _, p := range props {
		v := strings.TrimSpace(p.Text())
		if len(v) > len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) {
			v = v[len(scheme):]
		}
		if v == "" {
			continue
		}
		if first == "" || (p.Is("pref") && !anyPrimary(list)) {
			first = v
		}
		list = append(list, map[string]any{"value": v, "label": cardLabel(p), "primary": p.Is("pref")})
	}
	if list == nil {
		return "", ""
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return first, ""
	}
	return first, string(raw)
}

func anyPrimary(list []map[string]any) bool {
	for _, e := range list {
		if e["primary"] == true {
			return true
		}
	}
	return false
}

func cardLabel(p vcard.Property) string {
	switch {
	case p.Is("cell", "mobile", "iphone"):
		return "mobile"
	case p.Is("home"):
		return "home"
	case p.Is("work"):
		return "work"
	}
	return "other"
}
