package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"crm/e2e"
)

// apiDocs tries a call from the pages of the API, with a key and without.
func apiDocs(t *testing.T, w *way) {
	b := e2e.NewBrowser(t)
	const form = `article[id="contacts.create"] crm-api-try`
	b.Do(t, chromedp.Navigate(w.URL+"/api/docs/contacts"), chromedp.WaitVisible(`#api-key`))
	send := func(want string) {
		t.Helper()
		e2e.Eval[bool](t, b, `(document.querySelector('`+form+`').closest("details").open = true)`)
		e2e.Eval[bool](t, b, `(document.querySelector('`+form+` form').requestSubmit(), true)`)
		e2e.Until(t, 20*time.Second, want, func() bool { return strings.Contains(b.Text(t, form+" [data-answer]"), want) })
	}
	send("API key")
	b.Do(t, chromedp.SendKeys(`#api-key`, w.api.Key))
	send("201")
	e2e.Eval[string](t, b, `(document.querySelector('`+form+` textarea').value = '{"email": ')`)
	send("not JSON")
	if wrong := b.Complaints(); len(wrong) > 0 {
		t.Errorf("the browser complains: %q", wrong)
	}
}
