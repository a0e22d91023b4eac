package floor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// columns is what a contact has, in the order of Contact.
var columns = []string{
	"id", "external_id", "owner_id", "team_id", "tags", "custom", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "version",
	"first_name", "last_name", "email", "emails", "phone", "phones", "title", "account_id", "lifecycle", "source", "language", "time_zone",
	"address", "do_not_contact", "last_contacted_at",
}

// Contact is a row of contacts as the floor answers it.
type Contact struct {
	ID              uuid.UUID       `json:"id"`
	ExternalID      *string         `json:"external_id"`
	OwnerID         *uuid.UUID      `json:"owner_id"`
	TeamID          *uuid.UUID      `json:"team_id"`
	Tags            []string        `json:"tags"`
	Custom          json.RawMessage `json:"custom"`
	CreatedAt       time.Time       `json:"created_at"`
	CreatedBy       *uuid.UUID      `json:"created_by"`
	UpdatedAt       time.Time       `json:"updated_at"`
	UpdatedBy       *uuid.UUID      `json:"updated_by"`
	DeletedAt       *time.Time      `json:"deleted_at"`
	Version         int64           `json:"version"`
	FirstName       *string         `json:"first_name"`
	LastName        *string         `json:"last_name"`
	Email           *string         `json:"email"`
	Emails          json.RawMessage `json:"emails"`
	Phone           *string         `json:"phone"`
	Phones          json.RawMessage `json:"phones"`
	Title           *string         `json:"title"`
	AccountID       *uuid.UUID      `json:"account_id"`
	Lifecycle       *string         `json:"lifecycle"`
	Source          *string         `json:"source"`
	Language        *string         `json:"language"`
	TimeZone        *string         `json:"time_zone"`
	Address         json.RawMessage `json:"address"`
	DoNotContact    bool            `json:"do_not_contact"`
	LastContactedAt *time.Time      `json:"last_contacted_at"`
}

// targets are the fields in the order of columns. pgx gives raw JSON columns as bytes.
func (c *Contact) targets() []any {
	return []any{
		&c.ID, &c.ExternalID, &c.OwnerID, &c.TeamID, &c.Tags, &c.Custom, &c.CreatedAt, &c.CreatedBy, &c.UpdatedAt, &c.UpdatedBy, &c.DeletedAt, &c.Version,
		&c.FirstName, &c.LastName, &c.Email, &c.Emails, &c.Phone, &c.Phones, &c.Title, &c.AccountID, &c.Lifecycle, &c.Source, &c.Language, &c.TimeZone,
		&c.Address, &c.DoNotContact, &c.LastContactedAt,
	}
}

func scanContact(row pgx.CollectableRow) (Contact, error) {
	var c Contact
	err := row.Scan(c.targets()...)
	return c, err
}

func selectContacts(where string) string {
	return "select t." + strings.Join(columns, ", t.") + " from contacts t where t.tenant_id = $1 and " + where
}

// checkColumns refuses to measure against a table that has moved on: the floor would read less than the product.
func checkColumns(ctx context.Context, pool *pgxpool.Pool) error {
	rows, err := pool.Query(ctx, `select column_name::text from information_schema.columns where table_name = 'contacts' and column_name <> 'tenant_id'`)
	if err != nil {
		return fmt.Errorf("read the columns of contacts: %w", err)
	}
	have, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("read the columns of contacts: %w", err)
	}
	slices.Sort(have)
	if want := slices.Sorted(slices.Values(columns)); !slices.Equal(have, want) {
		return fmt.Errorf("contacts has the columns %v, the floor reads %v; bring bench/floor/contact.go in step", have, want)
	}
	return nil
}
