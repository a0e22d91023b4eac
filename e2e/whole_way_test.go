package e2e_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"crm/e2e"
	"crm/internal/platform/mail/smtptest"
	"crm/internal/testdata"
)

// way is one installation on its way from imported files to a delivered message.
type way struct {
	*e2e.Server
	api  *e2e.Client
	sink *smtptest.Sink
}

// start makes an installation with a tenant, a key and a mail server beside it.
func start(t *testing.T) *way {
	t.Helper()
	w := &way{Server: e2e.New(t, bin, "CRM_EGRESS_ALLOW=127.0.0.1", ortLibrary(t)), sink: smtptest.Start(t)}
	w.Start(t)
	w.CLI(t, "tenant", "create", "--name", "alpha", "--currency", "USD")
	w.CLI(t, "user", "create", "--tenant", "alpha", "--email", "ada@alpha.test", "--name", "Ada Admin", "--role", "tenant_admin", "--password", password)
	key := w.CLI(t, "apikey", "create", "--tenant", "alpha", "--name", "test")
	if strings.ContainsAny(key, " \n") || !strings.HasPrefix(key, "crm_") {
		t.Fatalf("apikey create prints the key alone: %q", key)
	}
	w.api = &e2e.Client{URL: w.URL, Key: key}
	return w
}

const password = "four quiet words"

// ortLibrary points at the ONNX Runtime that ./dev installs.
func ortLibrary(t *testing.T) string {
	t.Helper()
	if os.Getenv("CRM_ONNXRUNTIME_LIB") != "" {
		return "CRM_ONNXRUNTIME_LIB=" + os.Getenv("CRM_ONNXRUNTIME_LIB")
	}
	path, err := filepath.Abs("../.cache/onnxruntime/libonnxruntime.so.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("ONNX Runtime is not installed: %v; ./dev test installs it", err)
	}
	return "CRM_ONNXRUNTIME_LIB=" + path
}

// TestTheWholeWay walks from files to a delivered message on one installation.
// The steps build on each other, as a user's day does.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	w := start(t)
	step := func(name string, f func(*testing.T, *way)) {
		if !t.Run(name, func(t *testing.T) { f(t, w) }) {
			t.FailNow()
		}
	}
	step("1 import", importFiles)
	step("1 bad rows", importBadRows)
	step("2 capture", capture)
	step("3 score", score)
	step("4 convert", convert)
	step("5 move on the board", board)
	step("5 try the API", apiDocs)
	step("6 message", message)
	step("7 orderly stop", orderlyStop)
}

func importFiles(t *testing.T, w *way) {
	run := func(file, object string, extra map[string]string) *e2e.Answer {
		t.Helper()
		fields := map[string]string{"object": object, "create_fields": "true"}
		for k, v := range extra {
			fields[k] = v
		}
		a := w.api.ImportDone(t, w.api.Upload(t, testdata.Path(t, file), fields))
		if a.Text("state") != "done" || a.Num("failed") > 0 {
			t.Fatalf("import %s: %s", file, a)
		}
		return a
	}
	run("crm-sales/accounts.csv", "accounts", nil)
	run("crm-sales/products.csv", "products", nil)
	run("crm-sales/sales_teams.csv", "users", nil)
	run("crm-sales/sales_pipeline.csv", "deals", nil)
	pipeline := testdata.Rows(t, testdata.Path(t, "crm-sales/sales_pipeline.csv"), ',')
	if got := w.api.Count(t, "/deals"); got != len(pipeline) {
		t.Errorf("%d deals of %d rows", got, len(pipeline))
	}
	recountDeals(t, w, pipeline)
	agents := testdata.Rows(t, testdata.Path(t, "crm-sales/sales_teams.csv"), ',')
	for _, a := range agents {
		if w.api.Count(t, "/users?name="+strings.ReplaceAll(a["sales_agent"], " ", "%20")) != 1 {
			t.Errorf("no user %s", a["sales_agent"])
		}
	}
	importBank(t, w)
}

// recountDeals compares what the product counts with a count of the file.
func recountDeals(t *testing.T, w *way, rows []map[string]string) {
	t.Helper()
	want := map[string]int{}
	for _, r := range rows {
		want[r["deal_stage"]]++
	}
	for _, status := range []string{"Won", "Lost"} {
		if got := w.api.Count(t, "/deals?status="+strings.ToLower(status)); got != want[status] {
			t.Errorf("%d %s deals, the file has %d", got, status, want[status])
		}
	}
	if got := w.api.Count(t, "/deals?status=open"); got != want["Engaging"]+want["Prospecting"] {
		t.Errorf("%d open deals, the file has %d", got, want["Engaging"]+want["Prospecting"])
	}
	won := w.api.Call(t, 200, "GET", "/deals?status=won&limit=1&sort=-closed_at", nil).Data()[0]
	if at, _ := won["closed_at"].(string); !strings.HasPrefix(at, "2017") {
		t.Errorf("history keeps its dates: closed_at %v", won["closed_at"])
	}
}

// importBank brings the bank file in through the command line.
func importBank(t *testing.T, w *way) {
	t.Helper()
	file := testdata.Path(t, "bank/bank-additional-full.csv")
	rows := testdata.Rows(t, file, ';')
	out := w.CLI(t, "import", file, "--tenant", "alpha", "--object", "leads", "--create-fields",
		"--mapping", `{"y":{"field":"status","values":{"yes":"converted","no":"disqualified"}}}`)
	if got := w.api.Count(t, "/leads"); got != len(rows) {
		t.Fatalf("%d leads of %d rows: %s", got, len(rows), out)
	}
	yes := 0
	for _, r := range rows {
		if r["y"] == "yes" {
			yes++
		}
	}
	if got := w.api.Count(t, "/leads?status=converted"); got != yes {
		t.Errorf("%d converted leads, the file has %d", got, yes)
	}
}

// importBadRows: the good rows go in, the bad ones come back with the reason, and
// the whole import can be taken back.
func importBadRows(t *testing.T, w *way) {
	file := "first_name,last_name,email\nAda,Good,ada.good@example.com\nBob,Bad,not-an-address\nCleo,Fine,cleo@example.com\n"
	id := w.api.UploadBytes(t, "people.csv", []byte(file), map[string]string{"object": "contacts"})
	a := w.api.ImportDone(t, id)
	if a.Num("read") != 3 || a.Num("created") != 2 || a.Num("failed") != 1 {
		t.Fatalf("counts: %s", a)
	}
	errors := w.api.Call(t, 200, "GET", "/imports/"+id+"/errors.csv", nil)
	rows, err := csv.NewReader(strings.NewReader(string(errors.Raw))).ReadAll()
	if err != nil || len(rows) != 2 || !strings.Contains(strings.Join(rows[1], ","), "not-an-address") || !strings.Contains(strings.Join(rows[1], ","), "name@company.com") {
		t.Errorf("errors file: %q %v", errors.Raw, err)
	}
	w.api.Call(t, 200, "GET", "/contacts?email=cleo@example.com", nil)
	undone, err := w.api.Do("POST", "/imports/"+id+"/undo", map[string]any{})
	if err != nil || undone.Status >= 300 {
		t.Fatalf("undo: %v %s", err, undone)
	}
	e2e.Until(t, 30*time.Second, "the import is taken back", func() bool { return w.api.Count(t, "/contacts?email=cleo@example.com") == 0 })
}

func capture(t *testing.T, w *way) {
	lead := w.api.Call(t, 201, "POST", "/leads", map[string]any{"first_name": "Lena", "last_name": "Lead", "email": "lena@lead-company.com", "company": "Lead Company", "website": "https://lead-company.com", "source": "Website"})
	if lead.Text("status") != "new" {
		t.Errorf("a new lead: %s", lead)
	}
	form := w.api.Call(t, 201, "POST", "/lead_forms", map[string]any{"name": "Contact us", "title": "Talk to us"})
	page, err := http.Get(w.URL + "/f/" + form.Text("public_id"))
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if html, _ := io.ReadAll(page.Body); page.StatusCode != 200 || !strings.Contains(string(html), "<form") {
		t.Errorf("hosted form: %d", page.StatusCode)
	}
	public := &e2e.Client{URL: w.URL}
	sent, err := public.Do("POST", "/forms/"+form.Text("public_id"), map[string]any{"first_name": "Paul", "last_name": "Public", "email": "paul@public.example"})
	if err != nil || sent.Status >= 300 {
		t.Fatalf("public form: %v %s", err, sent)
	}
	got := w.api.Call(t, 200, "GET", "/leads?email=paul@public.example", nil).Data()
	if len(got) != 1 || got[0]["last_name"] != "Public" {
		t.Errorf("the form made %v", got)
	}
}

func score(t *testing.T, w *way) {
	a := w.api.Call(t, 202, "POST", "/scoring/models/train", map[string]any{"object": "lead", "refuse": []string{"custom.duration"}})
	id := a.Text("id")
	var card *e2e.Answer
	e2e.Until(t, 3*time.Minute, "the model is trained", func() bool {
		card = w.api.Call(t, 200, "GET", "/scoring/models/"+id, nil)
		return card.Text("status") != "training"
	})
	metrics, _ := card.JSON["metrics"].(map[string]any)
	auc, _ := metrics["auc"].(float64)
	if card.Text("status") != "active" || auc < 0.55 {
		t.Fatalf("model card: %s", card)
	}
	lead := w.api.Call(t, 200, "GET", "/leads?email=lena@lead-company.com", nil).Data()[0]["id"].(string)
	s := w.api.Call(t, 200, "GET", "/leads/"+lead+"/score", nil)
	if n := s.Num("score"); n < 0 || n > 100 || s.Text("grade") == "" || s.JSON["reasons"] == nil {
		t.Errorf("score: %s", s)
	}
	many := w.api.Call(t, 200, "POST", "/scoring/score", map[string]any{"object": "lead", "ids": []string{lead}})
	if results, _ := many.JSON["results"].([]any); len(results) != 1 {
		t.Errorf("scoring many: %s", many)
	}
	e2e.Until(t, time.Minute, "the open lead carries its score", func() bool {
		l := w.api.Call(t, 200, "GET", "/leads/"+lead, nil)
		return l.JSON["score"] != nil && l.JSON["score_grade"] != nil
	})
	doctor, err := w.TryCLI("doctor")
	if err != nil || !strings.Contains(doctor, "onnxruntime") {
		t.Errorf("doctor tells what scores: %v %s", err, doctor)
	}
}

func convert(t *testing.T, w *way) {
	lead := w.api.Call(t, 200, "GET", "/leads?email=lena@lead-company.com", nil).Data()[0]["id"].(string)
	first := w.api.Call(t, 200, "POST", "/leads/"+lead+"/convert", map[string]any{"create_deal": true, "deal": map[string]any{"name": "Lena's deal", "amount": map[string]any{"amount": "12000.00", "currency": "USD"}}})
	again := w.api.Call(t, 200, "POST", "/leads/"+lead+"/convert", map[string]any{"create_deal": true})
	for _, key := range []string{"contact_id", "account_id", "deal_id"} {
		if first.Text(key) == "" || first.Text(key) != again.Text(key) {
			t.Errorf("%s: %q then %q", key, first.Text(key), again.Text(key))
		}
	}
	if n := w.api.Count(t, "/contacts?email=lena@lead-company.com"); n != 1 {
		t.Errorf("%d contacts of one lead", n)
	}
	if l := w.api.Call(t, 200, "GET", "/leads/"+lead, nil); l.Text("status") != "converted" {
		t.Errorf("converted lead: %s", l)
	}
}

func message(t *testing.T, w *way) {
	host, port := w.sink.HostPort()
	provider := w.api.Call(t, 201, "POST", "/providers", map[string]any{
		"name": "Mail server", "channel": "email", "type": "smtp", "priority": 1,
		"settings": map[string]any{"host": host, "port": port, "tls": "none", "from": "sales@alpha.test"},
	})
	w.api.Call(t, 200, "POST", "/providers/"+provider.Text("id")+"/test", map[string]any{})
	tmpl := w.api.Call(t, 201, "POST", "/templates", map[string]any{"name": "Hello", "channel": "email", "subject": `Hello {{ contact.first_name | default: "there" }}`, "body": "<p>Dear {{ contact.first_name }}</p>", "body_text": "Dear {{ contact.first_name }}"})
	contact := w.api.Call(t, 200, "GET", "/contacts?email=lena@lead-company.com", nil).Data()[0]["id"]
	due := time.Now().Add(12 * time.Second)
	sent := w.api.Call(t, 202, "POST", "/messages", map[string]any{"channel": "email", "contact_id": contact, "template_id": tmpl.Text("id"), "class": "transactional", "send_at": due.UTC().Format(time.RFC3339Nano)})
	id := sent.Text("id")
	if st := w.api.Call(t, 200, "GET", "/messages/"+id, nil).Text("status"); st != "scheduled" {
		t.Errorf("before its time: %s", st)
	}
	w.watchLive(t, id)
	w.status(t, id, "sent", "delivered")
	env := w.sink.Envelopes()
	if len(env) != 1 || env[0].Subject != "Hello Lena" || time.Now().Before(due) {
		t.Fatalf("the server got %d messages: %+v", len(env), env)
	}

	later := w.api.Call(t, 202, "POST", "/messages", map[string]any{"channel": "email", "to": "never@example.com", "subject": "x", "body": "x", "class": "transactional", "send_at": time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339Nano)})
	w.api.Call(t, 200, "POST", "/messages/"+later.Text("id")+"/cancel", map[string]any{})

	w.sink.Script(smtptest.Rule{Rcpt: "busy@*", At: smtptest.AtRcpt, Times: 1, Code: 450, Enhanced: [3]int{4, 2, 1}, Text: "try later"})
	busy := w.api.Call(t, 202, "POST", "/messages", map[string]any{"channel": "email", "to": "busy@example.com", "subject": "retry", "body": "x", "class": "transactional"})
	w.status(t, busy.Text("id"), "sent", "delivered")
	if n := w.api.Call(t, 200, "GET", "/messages/"+busy.Text("id"), nil).Num("attempts"); n < 1 {
		t.Errorf("attempts after a 450: %v", n)
	}

	w.api.Call(t, 201, "POST", "/suppressions", map[string]any{"address": "stop@example.com", "channel": "email", "reason": "manual"})
	stopped := w.api.Call(t, 202, "POST", "/messages", map[string]any{"channel": "email", "to": "Stop@Example.com", "subject": "no", "body": "x", "class": "marketing"})
	w.status(t, stopped.Text("id"), "suppressed")
	w.status(t, later.Text("id"), "cancelled")
	for _, e := range w.sink.Envelopes() {
		for _, to := range e.Rcpt {
			if strings.HasPrefix(to, "stop@") || strings.HasPrefix(to, "never@") {
				t.Errorf("the server got a message to %s", to)
			}
		}
	}
}

// watchLive has the message's page open while its time comes: the page changes by
// itself, without being loaded again.
func (w *way) watchLive(t *testing.T, id string) {
	t.Helper()
	b := e2e.NewBrowser(t)
	b.SignIn(t, w.URL, "ada@alpha.test", password)
	b.Do(t, chromedp.Navigate(w.URL+"/alpha/messages/"+id), chromedp.WaitVisible("main"))
	if text := b.Text(t, "main"); !strings.Contains(text, "Scheduled") {
		t.Fatalf("the page before the time:\n%s", text)
	}
	e2e.Eval[bool](t, b, `(window.neverReloaded = true)`)
	e2e.Until(t, time.Minute, "the open page says Sent by itself", func() bool { return strings.Contains(b.Text(t, "main"), "Sent") })
	if !e2e.Eval[bool](t, b, `window.neverReloaded === true`) {
		t.Error("the page was loaded again instead of being updated")
	}
	if wrong := b.Complaints(); len(wrong) > 0 {
		t.Errorf("the browser complains: %q", wrong)
	}
}

// status waits until a message is in one of the states.
func (w *way) status(t *testing.T, id string, want ...string) {
	t.Helper()
	last := ""
	e2e.Until(t, 90*time.Second, fmt.Sprintf("message %s is %v", id, want), func() bool {
		last = w.api.Call(t, 200, "GET", "/messages/"+id, nil).Text("status")
		for _, s := range want {
			if s == last {
				return true
			}
		}
		return false
	})
}

func orderlyStop(t *testing.T, w *way) {
	w.Stop(t)
	w.Start(t)
	if w.api.Count(t, "/deals") == 0 {
		t.Error("the deals are gone after a restart")
	}
}
