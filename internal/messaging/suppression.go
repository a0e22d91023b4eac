package messaging

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Reasons for a suppression.
const (
	HardBounce   = "hard_bounce"
	Complaint    = "complaint"
	Unsubscribed = "unsubscribe"
	Manual       = "manual"
)

// Suppression is an address nothing is sent to. It is taken back by deleting it.
type Suppression struct {
	record.Base
	Address string `crm:"address,text,required,title,search"`
	Channel string `crm:"channel,select,required,options=email|sms|chat,default=email"`
	Reason  string `crm:"reason,select,required,options=hard_bounce:bad|complaint:bad|unsubscribe:warn|manual,default=manual"`
	Source  string `crm:"source,text" help:"Where it came from: a message, an import, a form."`
	Note    string `crm:"note,long_text"`
}

func (s *Service) registerSuppressions() (err error) {
	s.Suppressions, err = record.Register[Suppression](s.k, record.Definition{
		Name: "suppression", Plural: "suppressions", Label: "Suppression", LabelPlural: "Suppressions", System: true, NoSearch: true,
		ListFields: []string{"address", "channel", "reason", "source", "created_at"},
	}, record.HooksFor[Suppression]{Before: beforeSuppressions})
	return err
}

// beforeSuppressions brings addresses to the one form messages are compared by.
func beforeSuppressions(_ context.Context, _ pgx.Tx, changes []record.TypedChange[Suppression]) error {
	for _, c := range changes {
		if c.New.Address == "" {
			continue // the kernel refuses it by name
		}
		address, err := normalAddress(c.New.Channel, c.New.Address, "address")
		if err != nil {
			return err
		}
		c.New.Address = address
	}
	return nil
}

// normalAddress is the form in which an address is stored and compared; field
// says where to put the refusal.
func normalAddress(channel, address, field string) (string, error) {
	address = strings.TrimSpace(record.CleanText(address))
	switch channel {
	case Email:
		if a, ok := record.NormalEmail(address); ok {
			return a, nil
		}
		return "", errs.Field(field, "not_an_email", "Enter an address like name@company.com.")
	case SMS:
		phone, _ := record.FieldType("phone")
		v, err := phone.Parse(&record.Field{Name: field, Label: "The number"}, address)
		if err != nil {
			return "", err
		}
		if n, ok := v.(string); ok {
			return n, nil
		}
	}
	if address == "" || len(address) > 250 {
		return "", errs.Field(field, "required", "Say to whom, in at most 250 characters.")
	}
	return address, nil
}

// holdsBack reports whether a suppression for this reason stops a message of this
// class: whoever wants no marketing still wants the reset of a password.
func holdsBack(reason, class string) bool {
	return reason != "" && (reason != Unsubscribed || class == Marketing)
}

var suppressedBecause = map[string]string{
	HardBounce:   "An earlier message to this address bounced. Remove the suppression if it works again.",
	Complaint:    "The recipient complained about an earlier message.",
	Unsubscribed: "The recipient unsubscribed from marketing.",
	Manual:       "The address is on the suppression list.",
}

// suppress puts an address on the list unless it is there; a reason that holds
// back everything replaces one that holds back marketing only. It must run in a
// transaction; two at the same moment wait for each other.
func (s *Service) suppress(ctx context.Context, tx pgx.Tx, sup *Suppression) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	q := messagingdb.New(tx)
	if err := q.Lock(ctx, "suppress "+a.TenantID.String()+sup.Channel+sup.Address); err != nil {
		return err
	}
	known, err := s.suppressionOf(ctx, sup.Channel, sup.Address)
	switch {
	case err != nil:
		return err
	case known == nil:
		_, err = s.Suppressions.Create(ctx, sup)
	case known.Reason == Unsubscribed && sup.Reason != Unsubscribed:
		_, err = s.Suppressions.Change(ctx, known.ID, record.Act{Name: "updated"}, func(_ context.Context, _ pgx.Tx, t *Suppression) error {
			t.Reason, t.Source, t.Note = sup.Reason, sup.Source, sup.Note
			return nil
		})
	}
	return err
}

// suppressionOf finds the living suppression of an address; nil without one.
func (s *Service) suppressionOf(ctx context.Context, channel, address string) (*Suppression, error) {
	both := record.Filter{All: []record.Filter{
		s.Suppressions.Where("address", record.Eq, address), s.Suppressions.Where("channel", record.Eq, channel),
	}}
	found, err := s.Suppressions.Find(ctx, record.Query{Limit: 1, Filter: both})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// tenantOf is the tenant of the context, the zero id for nobody.
func tenantOf(ctx context.Context) uuid.UUID {
	if a := auth.From(ctx); a != nil {
		return a.TenantID
	}
	return uuid.Nil
}
