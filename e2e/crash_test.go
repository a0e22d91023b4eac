package e2e_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"crm/e2e"
	"crm/internal/platform/mail/smtptest"
	"crm/internal/testdata"
)

// again kills the process without warning and starts it anew.
func (w *way) again(t *testing.T) {
	t.Helper()
	w.Kill(t)
	w.Start(t)
}

// TestKilledWhileImporting: the import goes on by itself where it was, and every
// row is there exactly once.
func TestKilledWhileImporting(t *testing.T) {
	t.Parallel()
	w := start(t)
	file := testdata.Path(t, "bank/bank-additional-full.csv")
	total := len(testdata.Rows(t, file, ';'))
	id := w.api.Upload(t, file, map[string]string{"object": "leads", "create_fields": "true"})
	inFlight := func() int {
		a, err := w.api.Do("GET", "/imports/"+id, nil)
		if err != nil || a.Status != 200 {
			return 0
		}
		return int(a.Num("created"))
	}
	kills := 0
	for range 3 {
		before := inFlight()
		e2e.Until(t, time.Minute, "the import moves", func() bool { return inFlight() > before })
		if inFlight() >= total {
			break
		}
		w.again(t)
		kills++
	}
	if kills == 0 {
		t.Fatal("the import was over before anything could be killed")
	}
	a := w.api.ImportDone(t, id)
	if a.Text("state") != "done" || int(a.Num("created")) != total || int(a.Num("read")) != total {
		t.Errorf("after %d kills: %s", kills, a)
	}
	if got := w.api.Count(t, "/leads"); got != total {
		t.Errorf("%d leads of %d rows after %d kills", got, total, kills)
	}
}

// TestKilledWhileSending: nothing accepted is lost, nothing is sent twice, and
// what was on the wire is shown as in doubt and can be resolved.
func TestKilledWhileSending(t *testing.T) {
	t.Parallel()
	const total, workers = 120, 8
	w := start(t)
	w.sink.Script(smtptest.Rule{Rcpt: "*", At: smtptest.AtDot, Delay: 500 * time.Millisecond})
	w.provider(t)
	ids := make([]string, total)
	for i := range ids {
		ids[i] = w.api.Call(t, 202, "POST", "/messages", map[string]any{"channel": "email", "to": fmt.Sprintf("p%d@example.com", i), "subject": "hello", "body": "x", "class": "transactional"}).Text("id")
	}
	kills := 0
	for _, mark := range []int{total / 6, total / 3, total / 2} {
		e2e.Until(t, time.Minute, "messages are leaving", func() bool { return len(w.sink.Envelopes()) >= mark })
		if len(w.sink.Envelopes()) >= total-workers {
			break
		}
		w.again(t)
		kills++
	}
	if kills == 0 {
		t.Fatal("everything was sent before anything could be killed")
	}
	e2e.Until(t, 2*time.Minute, "every message has an end", func() bool {
		return w.api.Count(t, "/messages?status[in]=queued,scheduled,sending") == 0
	})
	doubt := w.api.Count(t, "/messages?status=in_doubt")
	if doubt > kills*workers {
		t.Errorf("%d in doubt after %d kills of %d workers", doubt, kills, workers)
	}
	for who, n := range w.sink.Recipients() {
		if n > 1 {
			t.Errorf("%s got %d copies", who, n)
		}
	}
	sent := w.api.Count(t, "/messages?status=sent")
	if sent+doubt != total {
		t.Errorf("%d sent + %d in doubt of %d accepted", sent, doubt, total)
	}
	if got := len(w.sink.Envelopes()); got < sent || got > total {
		t.Errorf("the server has %d messages, the ledger says %d sent", got, sent)
	}
	t.Logf("%d kills, %d in doubt", kills, doubt)
}

// provider points the tenant's mail at the sink.
func (w *way) provider(t *testing.T) {
	t.Helper()
	host, port := w.sink.HostPort()
	w.api.Call(t, 201, "POST", "/providers", map[string]any{
		"name": "Mail server", "channel": "email", "type": "smtp", "priority": 1,
		"settings": map[string]any{"host": host, "port": port, "tls": "none", "from": "sales@alpha.test"},
	})
}

// TestKilledWhileWriting: what was acknowledged before the kill is there after it,
// and a conversion is whole or absent.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	w := start(t)
	var mu sync.Mutex
	acked := map[string]string{} // lead id → deal id, "" when only created
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				email := fmt.Sprintf("w%d-%d@firm%d-%d.com", worker, i, worker, i)
				made, err := w.api.Do("POST", "/leads", map[string]any{"last_name": "L", "email": email, "company": fmt.Sprintf("Firm %d-%d", worker, i)})
				if err != nil || made.Status != 201 {
					continue
				}
				id := made.Text("id")
				mu.Lock()
				acked[id] = ""
				mu.Unlock()
				conv, err := w.api.Do("POST", "/leads/"+id+"/convert", map[string]any{"create_deal": true})
				if err == nil && conv.Status == 200 {
					mu.Lock()
					acked[id] = conv.Text("deal_id")
					mu.Unlock()
				}
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked)
	}
	for range 3 {
		n := count()
		e2e.Until(t, time.Minute, "work is acknowledged", func() bool { return count() > n+30 })
		w.again(t)
	}
	close(stop)
	wg.Wait()
	for id, deal := range acked {
		lead := w.api.Call(t, 200, "GET", "/leads/"+id, nil)
		whole := lead.Text("converted_deal_id") != "" && lead.Text("converted_contact_id") != "" && lead.Text("converted_account_id") != ""
		none := lead.JSON["converted_deal_id"] == nil && lead.JSON["converted_contact_id"] == nil
		if (lead.Text("status") == "converted") != whole || (lead.Text("status") != "converted") != none {
			t.Errorf("half a conversion: %s", lead)
		}
		if deal != "" && lead.Text("converted_deal_id") != deal {
			t.Errorf("an acknowledged conversion of %s is gone", id)
		}
	}
	converted := w.api.Count(t, "/leads?status=converted")
	if deals := w.api.Count(t, "/deals"); deals != converted {
		t.Errorf("%d deals of %d conversions", deals, converted)
	}
	t.Logf("%d leads acknowledged over 3 kills, %d converted", len(acked), converted)
}

// TestKilledWhileTraining: the training is taken up again by itself.
func TestKilledWhileTraining(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.api.Upload(t, testdata.Path(t, "bank/bank-additional-full.csv"), map[string]string{
		"object": "leads", "create_fields": "true",
		"mapping": `{"y":{"field":"status","values":{"yes":"converted","no":"disqualified"}},"duration":null}`,
	})
	if a := w.api.ImportDone(t, id); a.Text("state") != "done" {
		t.Fatalf("import: %s", a)
	}
	model := w.api.Call(t, 202, "POST", "/scoring/models/train", map[string]any{"object": "lead"}).Text("id")
	if st := w.api.Call(t, 200, "GET", "/scoring/models/"+model, nil).Text("status"); st != "training" {
		t.Fatalf("the training was over before it could be killed: %s", st)
	}
	w.again(t)
	var card *e2e.Answer
	e2e.Until(t, 3*time.Minute, "the model is trained after the kill", func() bool {
		card = w.api.Call(t, 200, "GET", "/scoring/models/"+model, nil)
		return card.Text("status") != "training"
	})
	if card.Text("status") != "active" {
		t.Errorf("model after a kill: %s", card)
	}
}
