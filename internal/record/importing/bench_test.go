package importing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"crm/internal/record/importing"
)

// BenchmarkContacts takes in 40,000 people a round; rows/s is the figure.
func BenchmarkContacts(b *testing.B) {
	w := newWorld(b)
	var text strings.Builder
	text.WriteString("first_name,last_name,email,phone,title,source,created_at\n")
	const rows = 40_000
	for i := range rows {
		fmt.Fprintf(&text, "Ann,Smith %d,ann%d@example.net,+4930%07d,Head of Sales,web,2024-05-17\n", i, i, i)
	}
	benchmark(b, w, rows, func() *importing.Import {
		return w.imports(w.Admin, text.String(), importing.Options{Object: "contact"})
	})
}

// BenchmarkBank takes in 41,188 leads with twenty custom fields.
func BenchmarkBank(b *testing.B) {
	w := newWorld(b)
	path := data(b, "bank/bank-additional-full.csv", bankLike)
	benchmark(b, w, 41188, func() *importing.Import { return w.importsFile(w.Admin, path, bankOptions()) })
}

// BenchmarkDeals takes in 8,800 deals with four relations each.
func BenchmarkDeals(b *testing.B) {
	w := newWorld(b)
	w.pipeline("Prospecting", "Engaging", "Won", "Lost")
	for _, f := range [][2]string{{"user", "sales_teams"}, {"account", "accounts"}, {"product", "products"}} {
		w.importsFile(w.Admin, data(b, "crm-sales/"+f[1]+".csv", salesLike(f[1])), importing.Options{Object: f[0]})
	}
	path := data(b, "crm-sales/sales_pipeline.csv", salesLike("sales_pipeline"))
	benchmark(b, w, 8800, func() *importing.Import {
		w.exec("update deals set external_id = null")
		return w.importsFile(w.Admin, path, importing.Options{Object: "deal"})
	})
}

func benchmark(b *testing.B, w *world, rows int64, round func() *importing.Import) {
	b.ReportAllocs()
	var rate float64
	n := 0
	for b.Loop() {
		imp := round()
		if imp.Created != rows {
			b.Fatalf("%s %+v", fates(imp), imp.Warnings)
		}
		rate += imp.Rate()
		n++
	}
	b.ReportMetric(rate/float64(n), "rows/s")
}

// BenchmarkUndo takes an import of 100,000 people back: half were made by it, half
// changed. s/undo is the figure; the limit is 60.
func BenchmarkUndo(b *testing.B) {
	w := newWorld(b)
	const rows = 100_000
	text := func(title string, from, to int) string {
		var t strings.Builder
		t.WriteString("external_id,first_name,last_name,email,phone,title,source\n")
		for i := from; i < to; i++ {
			fmt.Fprintf(&t, "%d,Ann,Smith %d,ann%d@example.net,+4930%07d,%s,web\n", i, i, i, i, title)
		}
		return t.String()
	}
	w.imports(w.Admin, text("CEO", 0, rows/2), importing.Options{Object: "contact"})
	var took time.Duration
	n := 0
	for b.Loop() {
		imp := w.imports(w.Admin, text(fmt.Sprint("CTO ", n), 0, rows), importing.Options{Object: "contact", Key: "external_id"})
		began := time.Now()
		imp, err := w.s.Undo(w.Admin, imp.ID)
		if err != nil || imp.Undo.Reversed != rows || len(imp.Undo.Conflicts) > 0 {
			b.Fatalf("%+v %v", imp.Undo, err)
		}
		took += time.Since(began)
		n++
	}
	b.ReportMetric(took.Seconds()/float64(n), "s/undo")
}
