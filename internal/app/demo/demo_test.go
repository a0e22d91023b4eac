package demo_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/app/apptest"
	"crm/internal/app/demo"
	"crm/internal/identity"
	"crm/internal/record"
)

// TestLoadKeepsThePromise: the contract names the least there must be.
func TestLoadKeepsThePromise(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "demo")
	owner := tn.User(t, "rep@demo.test", identity.SalesRep, "four quiet words")
	m := &demo.Maker{K: env.App.Kernel, Now: time.Now().UTC(), Owners: []uuid.UUID{owner}}
	if err := m.Load(tn.Ctx); err != nil {
		t.Fatal(err)
	}
	for object, least := range map[string]int64{"contact": 2000, "account": 400, "lead": 3000, "deal": 600, "activity": 1000} {
		o, _ := env.App.Kernel.Object(object)
		page, err := o.List(tn.Ctx, record.Query{Limit: 1, Count: true})
		if err != nil || *page.Count < least {
			t.Errorf("%s: %v, want at least %d (%v)", object, page.Count, least, err)
		}
	}
}
