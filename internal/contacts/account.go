package contacts

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// Account is a company. Employees is a head count, AnnualRevenue a year's
// turnover in its own currency.
type Account struct {
	record.Base
	Name            string         `crm:"name,text,required,search,title"`
	Domain          string         `crm:"domain,text,search" help:"The company's own internet domain, like acme.com. Leads are matched by it."`
	Industry        string         `crm:"industry,text"`
	Employees       *int64         `crm:"employees,integer"`
	AnnualRevenue   *money.Amount  `crm:"annual_revenue,money" label:"Annual revenue"`
	Phone           string         `crm:"phone,phone,search"`
	Website         string         `crm:"website,url"`
	ParentID        *uuid.UUID     `crm:"parent_id,relation,target=account" label:"Parent company"`
	BillingAddress  map[string]any `crm:"billing_address,address" label:"Billing address"`
	ShippingAddress map[string]any `crm:"shipping_address,address" label:"Shipping address"`
}

func (s *Service) registerAccounts(k *record.Kernel) (err error) {
	s.Accounts, err = record.Register[Account](k, record.Definition{
		Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true,
		ListFields: []string{"name", "domain", "industry", "employees", "phone", "owner_id", "created_at"},
		Match:      accountKeys,
	}, record.HooksFor[Account]{Before: beforeAccounts, Refs: accountRefs})
	return err
}

func beforeAccounts(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[Account]) error {
	if record.Undoing(ctx) {
		return nil
	}
	for _, c := range changes {
		if err := prepareAccount(c.Old, c.New); err != nil {
			return err
		}
	}
	return nil
}

// prepareAccount brings the domain into its one form and derives it from the
// website when there is none. A domain that is cleared on purpose stays empty
// until the website changes.
func prepareAccount(old, account *Account) error {
	before := Account{}
	if old != nil {
		before = *old
	}
	if account.Domain != before.Domain && account.Domain != "" {
		domain := Domain(account.Domain)
		if domain == "" {
			return errs.Field("domain", "not_a_domain", "Enter a domain like acme.com.")
		}
		account.Domain = domain
	}
	if account.Domain == "" && account.Website != before.Website {
		if domain := Domain(account.Website); !sharedHost(domain) {
			account.Domain = domain
		}
	}
	if account.ParentID != nil && *account.ParentID == account.ID {
		return errs.Field("parent_id", "own_parent", "A company cannot be its own parent. Choose another one.")
	}
	return nil
}

// accountRefs shows a subsidiary's changes on the timeline of its parent.
func accountRefs(account *Account) []uuid.UUID {
	if account.ParentID == nil {
		return nil
	}
	return []uuid.UUID{*account.ParentID}
}
