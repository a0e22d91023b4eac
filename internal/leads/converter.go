package leads

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// converter carries one conversion through its steps.
type converter struct {
	*Service
	lead *Lead
	in   ConvertInput
	out  *Conversion

	contact *record.Record // the existing contact, if any
}

// findContact takes the one named, or matches by e-mail address.
func (c *converter) findContact(ctx context.Context) (err error) {
	found := c.in.ContactID
	if found == nil && c.lead.Email != "" {
		if found, err = c.contacts.FindContactByEmail(ctx, c.lead.Email); err != nil || found == nil {
			return err
		}
	}
	if found == nil {
		return nil
	}
	c.out.ContactID = found
	c.contact, err = c.existing(ctx, "contact", "contact_id", *found)
	return err
}

// findAccount takes the one named, or matches by domain, by exact name, and last
// by the company the contact belongs to already.
func (c *converter) findAccount(ctx context.Context) error {
	if c.in.AccountID != nil {
		c.out.AccountID = c.in.AccountID
		_, err := c.existing(ctx, "account", "account_id", *c.in.AccountID)
		return err
	}
	type look struct {
		find func(context.Context, string) (*uuid.UUID, error)
		by   string
	}
	for _, l := range []look{
		{c.accounts.FindAccountByDomain, c.lead.Website},
		{c.accounts.FindAccountByDomain, companyDomain(c.lead.Email)},
		{c.accounts.FindAccountByName, c.lead.Company},
	} {
		if l.by == "" {
			continue
		}
		found, err := l.find(ctx, l.by)
		if err != nil || found != nil {
			c.out.AccountID = found
			return err
		}
	}
	if c.contact != nil {
		if of, ok := c.contact.Get("account_id").(uuid.UUID); ok {
			c.out.AccountID = &of
		}
	}
	return nil
}

// existing loads a record the conversion is to use. One that is away or hidden
// is the same refusal, on the field that named it.
func (c *converter) existing(ctx context.Context, object, field string, id uuid.UUID) (*record.Record, error) {
	o, ok := c.k.Object(object)
	if !ok {
		return nil, errs.Missing(object)
	}
	r, err := o.Get(record.Whole(ctx), id)
	if errs.KindOf(err) == errs.NotFound || (err == nil && r.Deleted()) {
		return nil, errs.Field(field, "unknown_reference", "There is no %s with this id, or you may not see it.", strings.ToLower(o.Def.Label))
	}
	return r, err
}

// makeAccount makes the company, unless there is one or nothing tells of any.
func (c *converter) makeAccount(ctx context.Context) error {
	name := c.lead.Company
	if name == "" {
		name = companyDomain(c.lead.Email)
	}
	if c.out.AccountID != nil || name == "" {
		return nil
	}
	values := patch{"name": name, "industry": c.lead.Industry}
	values.text("website", c.lead.Website)
	if c.lead.Website == "" {
		values.text("domain", companyDomain(c.lead.Email))
	}
	if c.lead.Employees != nil {
		values["employees"] = *c.lead.Employees
	}
	id, err := c.create(ctx, "account", values, c.accounts.CreateAccount)
	c.out.AccountID = &id
	return err
}

// makeContact makes the person, or gives an existing one without a company its
// company.
func (c *converter) makeContact(ctx context.Context) error {
	if c.contact != nil {
		return c.joinCompany(ctx)
	}
	values := patch{"last_name": c.lead.LastName}
	if c.lead.FirstName == "" && c.lead.LastName == "" && c.lead.Email == "" {
		values["last_name"] = c.title() // a contact needs a name, this lead has none
	}
	values.text("first_name", c.lead.FirstName)
	values.text("email", c.lead.Email)
	values.text("phone", c.lead.Phone)
	values.text("title", c.lead.Title)
	values.text("source", c.lead.Source)
	values.id("account_id", c.out.AccountID)
	if len(c.lead.Tags) > 0 {
		values["tags"] = c.lead.Tags
	}
	id, err := c.create(ctx, "contact", values, c.contacts.CreateContact)
	c.out.ContactID = &id
	return err
}

func (c *converter) joinCompany(ctx context.Context) error {
	if c.out.AccountID == nil || c.contact.Get("account_id") != nil {
		return nil
	}
	o, _ := c.k.Object("contact")
	_, err := o.One(ctx, record.Operation{Kind: record.OpUpdate, ID: c.contact.ID(), Patch: record.Patch{"account_id": *c.out.AccountID}})
	if errs.KindOf(err) == errs.Forbidden { // seen, but not the actor's to change
		return nil
	}
	return err
}

func (c *converter) makeDeal(ctx context.Context) error {
	if !c.in.CreateDeal {
		return nil
	}
	values := patch{"name": c.title()}
	if c.lead.Company != "" {
		values["name"] = c.lead.Company
	}
	values.text("source", c.lead.Source)
	maps.Copy(values, patch(c.in.Deal.More))
	values.text("name", c.in.Deal.Name)
	values.id("pipeline_id", c.in.Deal.PipelineID)
	values.id("stage_id", c.in.Deal.StageID)
	values.id("account_id", c.out.AccountID)
	values.id("contact_id", c.out.ContactID)
	if c.in.Deal.Amount != nil {
		values["amount"] = *c.in.Deal.Amount
	}
	if c.in.Deal.ExpectedCloseDate != nil {
		values["expected_close_date"] = *c.in.Deal.ExpectedCloseDate
	}
	id, err := c.create(ctx, "deal", values, c.deals.CreateDeal)
	c.out.DealID = &id
	return under("deal.", err)
}

// title names the lead also when it has no name.
func (c *converter) title() string {
	if name := c.lead.Name(); name != "" {
		return name
	}
	return "Lead " + c.lead.ID.String()[24:]
}

// create completes values with owner, team and the custom fields both objects
// have, and makes the record.
func (c *converter) create(ctx context.Context, object string, values patch, create func(context.Context, record.Patch) (uuid.UUID, error)) (uuid.UUID, error) {
	if c.in.OwnerID != nil && values["owner_id"] == nil {
		values["owner_id"] = *c.in.OwnerID
	}
	values.id("team_id", c.lead.TeamID)
	def, err := c.k.Definition(record.Whole(ctx), object)
	if err != nil {
		return uuid.Nil, err
	}
	for name, v := range c.lead.Custom {
		f, ok := def.Field("custom." + name)
		if _, given := values["custom."+name]; !ok || given {
			continue
		}
		// A value the other object's field would refuse (another type, an option it
		// does not have) stays with the lead.
		if canonical, err := f.Type.Parse(f, v); err == nil {
			values["custom."+name] = canonical
		}
	}
	for name, v := range values {
		if v == any("") {
			delete(values, name)
		}
	}
	return create(ctx, record.Patch(values))
}

// patch is a record.Patch being put together.
type patch record.Patch

func (p patch) text(name, value string) {
	if value != "" {
		p[name] = value
	}
}

func (p patch) id(name string, value *uuid.UUID) {
	if value != nil {
		p[name] = *value
	}
}

// under puts the fields of a refusal below a prefix: the caller sent them nested.
func under(prefix string, err error) error {
	e := errs.As(err)
	if e == nil || len(e.Fields) == 0 {
		return err
	}
	nested := *e
	nested.Fields = slices.Clone(e.Fields)
	for i := range nested.Fields {
		nested.Fields[i].Field = prefix + nested.Fields[i].Field
	}
	return &nested
}
