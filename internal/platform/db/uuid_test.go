package db_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/db/dbtest"
)

// TestUUIDs: every shape in which the product sends and reads them.
func TestUUIDs(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbtest.New(t).AppURL, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	one, two := uuid.New(), uuid.New()
	var none *uuid.UUID
	ctx := auth.With(t.Context(), auth.SystemActor(one))
	q := db.Query{
		SQL:  `select $1::uuid, $2::uuid, $3::uuid, $4::uuid[], $5::text::uuid, null::uuid, $6::uuid[]`,
		Args: []any{one, &two, none, []uuid.UUID{one, two}, two.String(), []*uuid.UUID{&one, nil}},
	}
	err = d.Read(ctx, q, func(rows pgx.Rows) error {
		for rows.Next() {
			var plain, pointed, text uuid.UUID
			var empty, null *uuid.UUID
			var list []uuid.UUID
			var gaps []*uuid.UUID
			if err := rows.Scan(&plain, &pointed, &empty, &list, &text, &null, &gaps); err != nil {
				return err
			}
			if plain != one || pointed != two || empty != nil || text != two || null != nil {
				t.Errorf("got %v %v %v %v %v", plain, pointed, empty, text, null)
			}
			if !slices.Equal(list, []uuid.UUID{one, two}) || len(gaps) != 2 || *gaps[0] != one || gaps[1] != nil {
				t.Errorf("lists %v %v", list, gaps)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var loose any
	err = d.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select $1::uuid`, one).Scan(&loose)
	})
	if got, ok := loose.([16]byte); err != nil || !ok || got != [16]byte(one) {
		t.Errorf("without a type it is %T %v, %v", loose, loose, err)
	}
}
