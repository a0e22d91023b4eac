package floor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Person is what the benchmarks fill a contact with.
type Person struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
	Phone     string `json:"phone"`
	Title     string `json:"title"`
	Lifecycle string `json:"lifecycle"`
	Source    string `json:"source"`
}

// written are the columns an insert fills; the rest have defaults.
var written = []string{"tenant_id", "id", "created_at", "updated_at", "first_name", "last_name", "email", "phone", "title", "lifecycle", "source"}

// Written are the columns of Row.
func Written() []string { return written }

// Row is one contact as values for written.
func Row(tenant uuid.UUID, p *Person, now time.Time) ([]any, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make id: %w", err)
	}
	return []any{tenant, id, now, now, p.FirstName, p.LastName, p.Email, p.Phone, p.Title, p.Lifecycle, p.Source}, nil
}

// Insert writes one contact in a transaction of its own, without journal, search document or idempotency key: begin
// with the tenant, insert, commit.
func Insert(ctx context.Context, pool *pgxpool.Pool, tenant uuid.UUID, p *Person) error {
	row, err := Row(tenant, p, time.Now().UTC())
	if err != nil {
		return err
	}
	return inTenant(ctx, pool, tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlInsert, row...)
		return err
	})
}

// InsertMany writes contacts with one statement in one transaction. COPY, which would be quicker, is refused under row
// level security, for the floor as for the product.
func InsertMany(ctx context.Context, pool *pgxpool.Pool, tenant uuid.UUID, people []Person) error {
	ids, texts := make([]uuid.UUID, len(people)), make([][]string, 7)
	for i := range people {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make id: %w", err)
		}
		ids[i] = id
		p := &people[i]
		for n, v := range []string{p.FirstName, p.LastName, p.Email, p.Phone, p.Title, p.Lifecycle, p.Source} {
			texts[n] = append(texts[n], v)
		}
	}
	args := []any{tenant, time.Now().UTC(), ids}
	for _, t := range texts {
		args = append(args, t)
	}
	return inTenant(ctx, pool, tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlInsertMany, args...)
		return err
	})
}

func inTenant(ctx context.Context, pool *pgxpool.Pool, tenant uuid.UUID, fn func(pgx.Tx) error) error {
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin; set local app.tenant_id = '" + tenant.String() + "'"})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

var (
	sqlInsert     = "insert into contacts (" + strings.Join(written, ", ") + ") values (" + numbered(len(written)) + ")"
	sqlInsertMany = "insert into contacts (" + strings.Join(written, ", ") + ") select $1, u.id, $2, $2, u.a, u.b, u.c, u.d, u.e, u.f, u.g" +
		" from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[]) as u(id, a, b, c, d, e, f, g)"
)

func numbered(n int) string {
	refs := make([]string, n)
	for i := range refs {
		refs[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(refs, ", ")
}
