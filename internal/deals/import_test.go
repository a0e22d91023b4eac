package deals_test

import (
	"strconv"
	"testing"
	"time"

	"crm/internal/deals"
	"crm/internal/platform/auth"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// TestImportKeepsHistory brings in rows as a sales file has them: a stage, dates
// of the past, no names and no reasons.
func TestImportKeepsHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := must(w.companies.Create(w.Admin, &company{Name: "Acme"}))(t)
	product := must(w.s.Products.Create(w.Admin, &deals.Product{Name: "GTX Pro", Price: &money.Amount{Minor: 482_100, Currency: "USD"}}))(t)
	batch := id.New()
	ctx := auth.As(importing(w.Admin), func(a *auth.Actor) { a.BatchID = batch })
	def := must(w.K.Definition(ctx, "deal"))(t)
	rows := []map[string]string{
		{"external_id": "won", "stage_id": w.stages["Won"].String(), "created_at": "2016-10-20", "closed_at": "2017-03-01", "amount": "1054", "account_id": acme.ID.String(), "product_id": product.ID.String()},
		{"external_id": "lost", "stage_id": w.stages["Lost"].String(), "created_at": "2016-11-04", "closed_at": "2017-03-18", "amount": "0", "product_id": product.ID.String()},
		{"external_id": "open", "stage_id": w.stages["Engaging"].String(), "created_at": "2016-11-14", "account_id": acme.ID.String()},
		{"external_id": "first", "stage_id": w.stages["Prospecting"].String()},
		{"external_id": "by status", "status": "Won", "closed_at": "2017-05-01", "name": "Own name"},
		{"external_id": "wrong", "stage_id": id.New().String()},
	}
	ops := make([]record.Operation, len(rows))
	for i, row := range rows {
		ops[i] = record.Operation{Kind: record.OpUpsert, Key: "external_id", Patch: must(def.ParseText(row, record.FromImport, "USD"))(t)}
	}
	res := must(w.s.Deals.Apply(ctx, ops, false))(t)
	for i, r := range res[:5] {
		if r.Err != nil {
			t.Fatalf("row %d: %v", i, r.Err)
		}
	}
	wantField(t, res[5].Err, "stage_id", "unknown_stage")
	day := func(s string) time.Time { return must(time.Parse(time.DateOnly, s))(t) }
	got := make([]*deals.Deal, 5)
	for i := range got {
		got[i] = must(w.s.Deals.Get(w.Admin, res[i].Record.ID()))(t)
	}
	if d := got[0]; d.Name != "Acme – GTX Pro" || d.Status != deals.Won || !d.CreatedAt.Equal(day("2016-10-20")) || !d.ClosedAt.Equal(day("2017-03-01")) || !d.StageEnteredAt.Equal(*d.ClosedAt) || d.WeightedAmount.Minor != 105_400 {
		t.Errorf("won %+v", d)
	}
	if d := got[1]; d.Name != "Deal – GTX Pro" || d.Status != deals.Lost || d.LostReason != "not given" || !d.ClosedAt.Equal(day("2017-03-18")) {
		t.Errorf("lost %+v", d)
	}
	if d := got[2]; d.Name != "Acme" || d.Status != deals.Open || d.ClosedAt != nil || !d.StageEnteredAt.Equal(day("2016-11-14")) || *d.Probability != 30 {
		t.Errorf("open %+v", d)
	}
	if d := got[3]; d.Name != "Deal" || !d.CreatedAt.Equal(start) {
		t.Errorf("first %+v", d)
	}
	if d := got[4]; d.Name != "Own name" || w.stageName(d.StageID) != "Won" || !d.ClosedAt.Equal(day("2017-05-01")) {
		t.Errorf("by status %+v", d)
	}
	// Without the import's own right, the dates are the product's.
	if _, err := def.ParseText(map[string]string{"closed_at": "2017-03-01"}, record.FromText, "USD"); err == nil {
		t.Error("a form sets closed_at")
	}
	undone := must(w.K.UndoBatch(w.Admin, batch))(t)
	if undone.Reversed != 5 || len(undone.Conflicts) > 0 {
		t.Errorf("undo of the import: %+v", undone)
	}
}

// A later file moves deals on; the journal tells of it as of any other change.
func TestImportUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deal(t, w.Admin, "d", "Engaging")
	ctx := importing(w.Admin)
	def := must(w.K.Definition(ctx, "deal"))(t)
	patch := must(def.ParseText(map[string]string{"stage_id": w.stages["Lost"].String(), "closed_at": "2026-11-01"}, record.FromImport, "EUR"))(t)
	must(w.s.Deals.One(ctx, record.Operation{Kind: record.OpUpdate, ID: d.ID, Patch: patch}))(t)
	got := must(w.s.Deals.Get(w.Admin, d.ID))(t)
	e := w.last(t, d.ID)
	if e.Action != "lost" || e.Via != "import" || got.ClosedAt.Format(time.DateOnly) != "2026-11-01" || got.LostReason != "not given" {
		t.Fatalf("%+v, %+v", e, got)
	}
}

// A thousand rows in one batch keep the order of the file on the board, the last
// one on top.
func TestImportOfAThousand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ops := make([]record.Operation, record.MaxBatch)
	for i := range ops {
		ops[i] = record.Operation{Kind: record.OpCreate, Patch: record.Patch{"name": "n" + strconv.Itoa(i), "stage_id": w.stages["Engaging"]}}
	}
	must(w.s.Deals.Apply(importing(w.Admin), ops, true))(t)
	b := must(w.s.Board(w.Admin, deals.BoardInput{Limit: 3}))(t)
	for _, c := range b.Columns {
		if c.Stage.Name == "Engaging" && (c.Count != 1000 || len(c.Deals) != 3 || c.Deals[0].Title() != "n999" || c.Deals[2].Title() != "n997") {
			t.Fatalf("column %+v", c)
		}
	}
}
