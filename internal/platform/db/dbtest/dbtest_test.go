package dbtest_test

import (
	"context"
	"testing"

	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/db/migrate"
)

func TestNewGivesMigratedDatabasesApartFromEachOther(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	a, b := dbtest.New(t), dbtest.New(t)
	if _, err := a.Owner.Exec(ctx, "create table only_in_a (id int)"); err != nil {
		t.Fatalf("create table: %v", err)
	}
	var there bool
	if err := b.Owner.QueryRow(ctx, "select to_regclass('only_in_a') is not null").Scan(&there); err != nil || there {
		t.Fatalf("table of one test seen by another: %v, %v", there, err)
	}
	for _, db := range []*dbtest.DB{a, b} {
		if n, err := migrate.Pending(ctx, db.App); n != 0 || err != nil {
			t.Fatalf("pending migrations seen by crm_app: %d, %v", n, err)
		}
	}
}

func TestPoolsAreTheRolesTheySay(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	var app, owner string
	if err := db.App.QueryRow(context.Background(), "select current_user").Scan(&app); err != nil {
		t.Fatalf("ask as crm_app: %v", err)
	}
	if err := db.Owner.QueryRow(context.Background(), "select current_user").Scan(&owner); err != nil {
		t.Fatalf("ask as crm_owner: %v", err)
	}
	if app != "crm_app" || owner != "crm_owner" {
		t.Fatalf("roles are %s and %s", app, owner)
	}
}

func TestEmptyHasRolesAndExtensionsOnly(t *testing.T) {
	t.Parallel()
	db := dbtest.Empty(t)
	var extensions, tables int
	err := db.Owner.QueryRow(context.Background(), `select (select count(*) from pg_extension where extname in ('pg_trgm', 'unaccent')),
		(select count(*) from pg_tables where schemaname = 'public')`).Scan(&extensions, &tables)
	if err != nil || extensions != 2 || tables != 0 {
		t.Fatalf("%d extensions, %d tables, %v", extensions, tables, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t)
			open, err := migrate.OpenTables(context.Background(), db.App)
			if err != nil || len(open) > 0 {
				t.Fatalf("tables open to other tenants: %v, %v", open, err)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	dbtest.New(b)
	for b.Loop() {
		dbtest.New(b)
	}
}
