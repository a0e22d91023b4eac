package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"crm/e2e"
)

// TestObjectsByHand makes an object and its fields by hand in a real browser and enters a record.
func TestObjectsByHand(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := e2e.NewBrowser(t)
	b.SignIn(t, w.URL, "ada@alpha.test", password)
	b.Do(t, chromedp.Navigate(w.URL+"/alpha/settings/objects"), chromedp.SendKeys(`input[name="label"]`, "Site"),
		chromedp.Submit(`#add form`), chromedp.WaitVisible(`#fields`))
	b.Do(t, chromedp.SendKeys(`#add input[name="label"]`, "Floor space"), chromedp.SetValue(`#add select[name="type"]`, "integer"),
		chromedp.Submit(`#add form`), chromedp.WaitVisible(`#field`))
	b.Do(t, chromedp.SendKeys(`#field input[name="max"]`, "900"), chromedp.Submit(`#field form`), chromedp.WaitVisible(`#fields`))
	if text := b.Text(t, "#fields"); !strings.Contains(text, "Floor space") || !strings.Contains(text, "bounded") {
		t.Errorf("the new field: %q", text)
	}
	b.Do(t, chromedp.Navigate(w.URL+"/alpha/sites/new"), chromedp.SendKeys(`input[name="name"]`, "North yard"),
		chromedp.SendKeys(`input[name="custom.floor_space"]`, "450"), chromedp.Submit(`main form`), chromedp.WaitVisible(`h1`))
	if got := w.api.Call(t, 200, "GET", "/sites?custom.floor_space=450", nil).Data(); len(got) != 1 || got[0]["name"] != "North yard" {
		t.Errorf("what was entered: %v", got)
	}
	done := w.api.ImportDone(t, w.api.UploadBytes(t, "sites.csv", []byte("Name,Floor space\nSouth yard,120\nToo large,901\n"), map[string]string{"object": "sites"}))
	if done.Num("created") != 1 || done.Num("failed") != 1 {
		t.Errorf("import: %s", done)
	}
	w.api.Call(t, 200, "POST", "/imports/"+done.Text("id")+"/undo", nil)
	if n := len(w.api.Call(t, 200, "GET", "/sites", nil).Data()); n != 1 {
		t.Errorf("%d sites after the import was undone", n)
	}
	out := w.api.Call(t, 202, "POST", "/exports", map[string]any{"object": "sites", "format": "csv"}).Text("id")
	e2e.Until(t, time.Minute, "the export is done", func() bool { return w.api.Call(t, 200, "GET", "/exports/"+out, nil).Text("state") == "done" })
	if wrong := b.Complaints(); len(wrong) > 0 {
		t.Errorf("the browser complains: %q", wrong)
	}
}
