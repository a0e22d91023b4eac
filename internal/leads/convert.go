package leads

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// ConvertInput says what to make of a lead. AccountID and ContactID name existing
// records to use instead of looking for one; OwnerID owns what is made, the
// lead's owner when nil.
type ConvertInput struct {
	AccountID  *uuid.UUID
	ContactID  *uuid.UUID
	CreateDeal bool
	Deal       DealInput
	OwnerID    *uuid.UUID
}

// DealInput is the deal to open. What is left out is derived from the lead or
// left to the deals context. More holds further fields of the deal, canonical;
// the named ones win.
type DealInput struct {
	Name              string
	Amount            *money.Amount
	PipelineID        *uuid.UUID
	StageID           *uuid.UUID
	ExpectedCloseDate *time.Time
	More              record.Patch
}

// ReadDeal reads the fields of a deal as the API has them, for DealInput.More;
// refused fields are named "deal.<field>".
func (s *Service) ReadDeal(ctx context.Context, body map[string]any) (record.Patch, error) {
	if len(body) == 0 {
		return nil, nil
	}
	def, err := s.k.Definition(ctx, "deal")
	if err != nil {
		return nil, err
	}
	values, err := def.ParseJSON(body)
	return values, under("deal.", err)
}

// maySet refuses values for fields of the deal that the actor may not set.
func (s *Service) maySet(ctx context.Context, in DealInput) error {
	named := map[string]bool{
		"name": in.Name != "", "amount": in.Amount != nil, "pipeline_id": in.PipelineID != nil, "stage_id": in.StageID != nil,
		"expected_close_date": in.ExpectedCloseDate != nil,
	}
	def, err := s.k.Definition(ctx, "deal")
	if err != nil {
		return err
	}
	var refused errs.Fields
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if named[name] {
			if err := def.MaySet(name); err != nil {
				refused = append(refused, errs.As(err).Fields...)
			}
		}
	}
	return under("deal.", refused.Err())
}

// Conversion is what became of a lead. AccountID is nil for a person without a
// company, DealID when none was wanted.
type Conversion struct {
	LeadID    uuid.UUID
	AccountID *uuid.UUID
	ContactID *uuid.UUID
	DealID    *uuid.UUID
}

// errConverted ends an act that finds its work done.
var errConverted = errors.New("lead is converted already")

// Convert makes a contact, an account and a deal of a lead, or returns what an
// earlier call made of it. It needs the update right on the lead and the create
// right on what is missing; existing records are used when the actor sees them.
func (s *Service) Convert(ctx context.Context, leadID uuid.UUID, in ConvertInput) (*Conversion, error) {
	if err := s.maySet(ctx, in.Deal); err != nil {
		return nil, err
	}
	var out *Conversion
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		out = &Conversion{LeadID: leadID}
		// A batch of its own, also within a larger one: unconvert takes back this
		// lead's conversion and no other.
		ctx = auth.As(ctx, func(a *auth.Actor) { a.BatchID = id.New() })
		data := map[string]any{}
		_, err := s.Leads.Change(ctx, leadID, record.Act{Name: actConverted, Data: data}, func(ctx context.Context, tx pgx.Tx, lead *Lead) error {
			if lead.Status == StatusConverted && lead.hasRecords() {
				out.AccountID, out.ContactID, out.DealID = lead.ConvertedAccountID, lead.ConvertedContactID, lead.ConvertedDealID
				return errConverted
			}
			return s.convert(ctx, tx, lead, in, out, data)
		})
		if errors.Is(err, errConverted) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// convert does the work on a locked lead. data becomes the journal row's facts.
func (s *Service) convert(ctx context.Context, tx pgx.Tx, lead *Lead, in ConvertInput, out *Conversion, data map[string]any) error {
	if err := s.waitForTwins(ctx, tx, lead); err != nil {
		return err
	}
	c := &converter{Service: s, lead: lead, in: in, out: out}
	if in.OwnerID == nil {
		c.in.OwnerID = lead.OwnerID
	}
	for _, step := range []func(context.Context) error{c.findContact, c.findAccount, c.makeAccount, c.makeContact, c.makeDeal} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	lead.Status = StatusConverted
	if lead.ConvertedAt == nil {
		lead.ConvertedAt = &now
	}
	lead.ConvertedAccountID, lead.ConvertedContactID, lead.ConvertedDealID = out.AccountID, out.ContactID, out.DealID
	data["account_id"], data["contact_id"], data["deal_id"] = out.AccountID, out.ContactID, out.DealID
	return nil
}

// waitForTwins holds back conversions that would look for the same company or
// person at the same moment and each make one.
func (s *Service) waitForTwins(ctx context.Context, tx pgx.Tx, lead *Lead) error {
	var keys []string
	for kind, value := range map[string]string{
		"d": companyDomain(lead.Email), "w": lead.Website, "c": lead.Company, "e": lead.Email,
	} {
		if value != "" {
			keys = append(keys, kind+":"+strings.ToLower(value))
		}
	}
	slices.Sort(keys)
	_, err := tx.Exec(ctx, lockKeys, auth.From(ctx).TenantID, keys)
	return err
}
