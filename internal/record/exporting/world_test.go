package exporting_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/blob"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/exporting"
	"crm/internal/record/recordtest"
)

// Look-alikes of the contexts' objects, over their real tables.
type (
	user struct {
		record.Base
		Name  string `crm:"name,text,required,title"`
		Email string `crm:"email,email,unique"`
	}
	account struct {
		record.Base
		Name           string        `crm:"name,text,required,search,title"`
		Employees      *int64        `crm:"employees,integer"`
		AnnualRevenue  *money.Amount `crm:"annual_revenue,money"`
		BillingAddress any           `crm:"billing_address,address"`
	}
	contact struct {
		record.Base
		FirstName string     `crm:"first_name,text,search,title"`
		LastName  string     `crm:"last_name,text,search,title"`
		Email     string     `crm:"email,email,search"`
		Phone     string     `crm:"phone,phone"`
		Phones    any        `crm:"phones,json"`
		AccountID *uuid.UUID `crm:"account_id,relation,target=account" label:"Company"`
		DoNot     bool       `crm:"do_not_contact,boolean,default=false"`
		Last      *time.Time `crm:"last_contacted_at,datetime"`
	}
)

type world struct {
	*recordtest.Env
	t        testing.TB
	s        *exporting.Service
	now      time.Time
	contacts *record.Store[contact]
	accounts *record.Store[account]
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Env: recordtest.New(t), t: t, now: time.Now()}
	var err error
	must := func() {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = record.Register[user](w.K, record.Definition{Name: "user", Plural: "users", Label: "User", LabelPlural: "Users"}, record.HooksFor[user]{})
	must()
	w.accounts, err = record.Register[account](w.K, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[account]{})
	must()
	w.contacts, err = record.Register[contact](w.K, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}, record.HooksFor[contact]{})
	must()
	files, err := blob.OpenDir(t.TempDir())
	must()
	t.Cleanup(func() { _ = files.Close() })
	w.s = exporting.New(exporting.Deps{
		Kernel: w.K, Files: files, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now },
		Tenants: func(context.Context) ([]uuid.UUID, error) { return []uuid.UUID{w.Tenant}, nil },
	})
	return w
}

// export asks, works and reads the file.
func (w *world) export(ctx context.Context, opts exporting.Options) (*exporting.Export, []byte) {
	w.t.Helper()
	e, err := w.s.Create(ctx, opts)
	if err != nil {
		w.t.Fatal(err)
	}
	if e, err = w.s.Run(ctx, e.ID); err != nil || e.State != exporting.Done {
		w.t.Fatalf("export: %v, %+v", err, e)
	}
	return e, w.file(ctx, e)
}

func (w *world) file(ctx context.Context, e *exporting.Export) []byte {
	w.t.Helper()
	f, err := w.s.Open(ctx, e)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil || int64(len(raw)) != e.Bytes {
		w.t.Fatalf("read the file: %v, %d bytes of %d", err, len(raw), e.Bytes)
	}
	return raw
}

func (w *world) table(raw []byte) [][]string {
	w.t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		w.t.Fatalf("%v in %s", err, raw)
	}
	return rows
}

func (w *world) makeContact(ctx context.Context, c contact) *contact {
	w.t.Helper()
	made, err := w.contacts.Create(ctx, &c)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func query(s string) url.Values {
	q, err := url.ParseQuery(s)
	if err != nil {
		panic(err)
	}
	return q
}

// may changes what an actor may do.
func may(ctx context.Context, grant string, scope auth.Scope) context.Context {
	return auth.As(ctx, func(a *auth.Actor) {
		g := auth.Grants{}
		for k, v := range a.Grants {
			g[k] = v
		}
		g[grant] = scope
		a.Grants = g
	})
}
