package contacts

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Contact is a person. Emails and Phones are lists of {value, label, primary};
// Email and Phone are their primary entries. Language is a tag such as "de",
// TimeZone an IANA name.
type Contact struct {
	record.Base
	FirstName       string         `crm:"first_name,text,search,title" label:"First name"`
	LastName        string         `crm:"last_name,text,search,title" label:"Last name"`
	Email           string         `crm:"email,email,search" label:"E-mail"`
	Emails          any            `crm:"emails,json" label:"E-mail addresses" help:"All addresses with label and primary; the primary one is the e-mail."`
	Phone           string         `crm:"phone,phone,search"`
	Phones          any            `crm:"phones,json" label:"Phone numbers"`
	Title           string         `crm:"title,text" label:"Job title"`
	AccountID       *uuid.UUID     `crm:"account_id,relation,target=account" label:"Company"`
	Lifecycle       string         `crm:"lifecycle,select,options=subscriber|lead:accent|marketing_qualified_lead:accent|sales_qualified_lead:accent|opportunity:warn|customer:good|evangelist:good|other"`
	Source          string         `crm:"source,text"`
	Language        string         `crm:"language,text"`
	TimeZone        string         `crm:"time_zone,text" label:"Time zone"`
	Address         map[string]any `crm:"address,address"`
	DoNotContact    bool           `crm:"do_not_contact,boolean,sticky" label:"Do not contact" help:"Nothing is sent to this person, whatever a campaign says."`
	LastContactedAt *time.Time     `crm:"last_contacted_at,datetime" label:"Last contacted"`
}

func (s *Service) registerContacts(k *record.Kernel) (err error) {
	s.Contacts, err = record.Register[Contact](k, record.Definition{
		Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true,
		ListFields: []string{"first_name", "last_name", "email", "phone", "account_id", "title", "lifecycle", "owner_id", "created_at"},
		Match:      contactKeys,
	}, record.HooksFor[Contact]{Before: beforeContacts, Refs: contactRefs})
	return err
}

func beforeContacts(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[Contact]) error {
	if record.Undoing(ctx) {
		return nil
	}
	lenient := auth.From(ctx).Via == auth.ViaImport
	for _, c := range changes {
		if err := prepareContact(c.Old, c.New, lenient); err != nil {
			return err
		}
	}
	return nil
}

// prepareContact keeps each single value in step with its list and refuses a
// contact nobody could tell from another.
func prepareContact(old, contact *Contact, lenient bool) (err error) {
	before := Contact{}
	if old != nil {
		before = *old
	}
	contact.Email, contact.Emails, err = emails.inStep(before.Email, before.Emails, contact.Email, contact.Emails, lenient)
	if err != nil {
		return err
	}
	contact.Phone, contact.Phones, err = phones.inStep(before.Phone, before.Phones, contact.Phone, contact.Phones, lenient)
	if err != nil {
		return err
	}
	if contact.DeletedAt == nil && contact.FirstName == "" && contact.LastName == "" && contact.Email == "" {
		return errs.Field("last_name", "required", "A contact needs a name or an e-mail address.")
	}
	return nil
}

// contactRefs shows a person's changes on the timeline of the company.
func contactRefs(contact *Contact) []uuid.UUID {
	if contact.AccountID == nil {
		return nil
	}
	return []uuid.UUID{*contact.AccountID}
}
