package record_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"crm/internal/platform/cache"
	"crm/internal/platform/cache/redistest"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// TestCustomFieldsThroughRedis: a second process finds a tenant's custom fields in
// Redis, whole enough to read input with, and goes on when Redis is gone.
func TestCustomFieldsThroughRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	e := recordtest.New(t)
	process := func() *record.Kernel {
		space, err := cache.Open(cache.Deps{RedisURL: redis.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { space.Close(context.WithoutCancel(t.Context())) })
		k, err := record.NewKernel(record.Deps{DB: e.DB, Cache: space, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := record.Register[company](k, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[company]{}); err != nil {
			t.Fatal(err)
		}
		return k
	}
	first, second := process(), process()
	if err := first.AddCustomFields(e.Admin, []record.CustomField{{Object: "account", Name: "tier", Type: "select", Options: []string{"gold"}}}); err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*record.Kernel{"first": first, "second": second} {
		def, err := k.Definition(e.Admin, "account")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := def.ParseJSON(map[string]any{"name": "x", "custom": map[string]any{"tier": "gold"}}); err != nil {
			t.Errorf("%s process: %v", name, err)
		}
		if _, err := def.ParseJSON(map[string]any{"name": "x", "custom": map[string]any{"tier": "tin"}}); err == nil {
			t.Errorf("%s process takes an option that does not exist", name)
		}
	}
	redis.Kill()
	if def, err := process().Definition(e.Admin, "account"); err != nil || len(def.CustomFields()) != 1 {
		t.Errorf("without Redis: %v", err)
	}
	if def, err := first.Definition(e.Other, "account"); err != nil || len(def.CustomFields()) != 0 {
		t.Errorf("another tenant has custom fields: %v %v", def.CustomFields(), err)
	}
}
