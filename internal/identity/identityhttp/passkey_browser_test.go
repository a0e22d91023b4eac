package identityhttp_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"crm/e2e"
	"crm/internal/identity"
	"crm/web"
)

// TestAPasskeyInABrowser adds a passkey on the account page and signs in with it, in
// Chromium with an authenticator of its own, on a screen of 360 pixels.
func TestAPasskeyInABrowser(t *testing.T) {
	t.Parallel()
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	base := "http://localhost:" + port // passkeys need a name
	w, _ := site(t, func(d *identity.Deps) { d.BaseURL = base })
	to, err := url.Parse(w.URL("/"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/assets/", web.Handler())
	mux.Handle("/", &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	})
	front := &httptest.Server{Listener: lis, Config: &http.Server{ReadHeaderTimeout: time.Minute, Handler: mux}}
	front.Start()
	t.Cleanup(front.Close)

	b := e2e.NewBrowser(t)
	if _, err := chromedp.Call(b.Ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.Call(b.Ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.Do(t, chromedp.EmulateViewport(360, 740))
	b.SignIn(t, base, "rita@gamma.test", password)
	b.Do(t, chromedp.Navigate(base+"/account/two-step"), chromedp.WaitVisible(`crm-passkey button`),
		chromedp.SendKeys(`crm-passkey input[name="name"]`, "My phone"), chromedp.SendKeys(`crm-passkey input[name="proof"]`, password))
	if wide := e2e.Eval[int](t, b, `document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("the page is %d pixels wide", wide)
	}
	b.Do(t, chromedp.Click(`crm-passkey > button`), chromedp.WaitVisible(`form[action="/account/passkeys/remove"]`))
	b.Do(t, chromedp.Navigate(base+"/account"), chromedp.WaitVisible(`#sessions form[action="/sign-out"] button`), chromedp.Click(`#sessions form[action="/sign-out"] button`), chromedp.WaitVisible(`input[name="email"]`))
	b.Do(t, chromedp.Click(`crm-passkey > button`))
	e2e.Until(t, 30*time.Second, "signed in", func() bool {
		where, err := chromedp.Run(b.Ctx, chromedp.Location())
		return err == nil && strings.HasSuffix(where, "/gamma/home")
	})
	if c := b.Complaints(); len(c) > 0 {
		t.Errorf("the browser complains: %v", c)
	}
}
