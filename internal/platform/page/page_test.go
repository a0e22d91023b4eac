package page_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
)

func newSite(secure bool, key string) *page.Site {
	return page.New(page.Deps{Secure: secure, FlashKey: []byte(key), Error: func(_ *http.Request, _ int, e *errs.Error) templ.Component {
		return templ.Raw("sorry: " + e.Message)
	}})
}

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHeadersCarryAFreshNonce(t *testing.T) {
	t.Parallel()
	s := newSite(true, "k")
	h := s.Headers(s.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return s.Render(w, r, 200, templ.Raw(page.Nonce(r.Context())))
	}))
	seen := map[string]bool{}
	for range 3 {
		resp := serve(h, httptest.NewRequest("GET", "/", nil))
		nonce := body(t, resp)
		want := "default-src 'none'; script-src 'nonce-" + nonce + "' 'strict-dynamic'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; require-trusted-types-for 'script'; trusted-types crm"
		if got := resp.Header.Get("Content-Security-Policy"); got != want || len(nonce) != 32 || seen[nonce] {
			t.Errorf("nonce %q, policy %s", nonce, got)
		}
		seen[nonce] = true
		for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "private, no-cache", "Strict-Transport-Security": "max-age=31536000"} {
			if resp.Header.Get(name) != value {
				t.Errorf("%s is %q", name, resp.Header.Get(name))
			}
		}
	}
}

func TestErrorsBecomePages(t *testing.T) {
	t.Parallel()
	s := newSite(false, "k")
	tests := []struct {
		err      error
		status   int
		location string
		says     string
	}{
		{errs.Missing("deal"), 404, "", "There is no deal"},
		{errs.New(errs.Forbidden, "x", "No."), 403, "", "No."},
		{errs.Field("name", "required", "Name is needed."), 422, "", "Name is needed."},
		{errs.New(errs.Stale, "x", "Changed."), 412, "", "Changed."},
		{errors.New("secret cause"), 500, "", "broke on our side"},
		{auth.ErrNobody, 303, "/sign-in?next=%2Fa%3Fb%3D1", ""},
	}
	for _, tt := range tests {
		resp := serve(s.Handle(func(http.ResponseWriter, *http.Request) error { return tt.err }), httptest.NewRequest("GET", "/a?b=1", nil))
		text := body(t, resp)
		if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location || (tt.says != "" && !strings.Contains(text, tt.says)) || strings.Contains(text, "secret") {
			t.Errorf("%v: %d %s %q", tt.err, resp.StatusCode, resp.Header.Get("Location"), text)
		}
	}
	async := httptest.NewRequest("GET", "/", nil)
	async.Header.Set("X-Async", "1")
	if resp := serve(s.Handle(func(http.ResponseWriter, *http.Request) error { return errs.Missing("deal") }), async); resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a script got %s", resp.Header.Get("Content-Type"))
	}
}

func TestRenderFailsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := newSite(false, "k")
	broken := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, _ = w.Write([]byte("half a page"))
		return errors.New("no")
	})
	resp := serve(s.Handle(func(w http.ResponseWriter, r *http.Request) error { return s.Render(w, r, 200, broken) }), httptest.NewRequest("GET", "/", nil))
	if text := body(t, resp); resp.StatusCode != 500 || strings.Contains(text, "half") {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	long := strings.Repeat("paper and petrol ", 400)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip, br")
	resp = serve(s.Handle(func(w http.ResponseWriter, r *http.Request) error { return s.Render(w, r, 200, templ.Raw(long)) }), r)
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != long {
		t.Errorf("unpacked %d bytes, %v", len(text), err)
	}
}

func TestFlashIsShownOnceAndCannotBeForged(t *testing.T) {
	t.Parallel()
	s := newSite(false, "key one")
	w := httptest.NewRecorder()
	s.SetFlash(w, page.Flash{Text: "Saved.", Seq: 7})
	cookie := w.Result().Cookies()[0]
	take := func(s *page.Site, value string) (*page.Flash, *http.Cookie) {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: value})
		w := httptest.NewRecorder()
		f := s.TakeFlash(w, r)
		return f, w.Result().Cookies()[0]
	}
	f, cleared := take(s, cookie.Value)
	if f == nil || f.Text != "Saved." || f.Seq != 7 || cleared.MaxAge >= 0 || !cookie.HttpOnly {
		t.Errorf("took %+v, cleared %+v", f, cleared)
	}
	for _, forged := range []string{"", "x", cookie.Value + "x", "A" + cookie.Value, strings.Replace(cookie.Value, ".", "", 1)} {
		if f, _ := take(s, forged); f != nil {
			t.Errorf("%q was believed: %+v", forged, f)
		}
	}
	if f, _ := take(newSite(false, "key two"), cookie.Value); f != nil {
		t.Error("another key's message was believed")
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/acme/deals?x=1#y": "/acme/deals?x=1#y", "": "-", "//evil.test": "-", "/\\evil.test": "-", "https://evil.test/": "-", "evil": "-",
		"/a\nb": "-", "/\tevil": "-", "javascript:alert(1)": "-", "/%2f%2fevil.test": "-", "/a//b": "/a//b",
	} {
		if got := page.LocalPath(in, "-"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestLiveTellsWhoMayRead(t *testing.T) {
	t.Parallel()
	l := page.NewLive()
	t.Cleanup(l.Close)
	s := newSite(false, "k")
	tenant, other := uuid.New(), uuid.New()
	listen := func(a *auth.Actor) *bufio.Scanner {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.Handle(l.Stream)(w, r.WithContext(auth.With(r.Context(), a)))
		}))
		t.Cleanup(func() { l.Close(); srv.Close() })
		resp, err := http.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("headers %v", resp.Header)
		}
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() && lines.Text() != ": here" { //nolint:revive // reads up to the greeting: the stream is open then
		}
		return lines
	}
	reader := listen(&auth.Actor{TenantID: tenant, ID: uuid.New(), Grants: auth.Grants{"deal:read": auth.Own}})
	ids := []uuid.UUID{uuid.New()}
	l.Publish(page.Notice{Tenant: other, Object: "deal", Topic: "deals", IDs: []uuid.UUID{uuid.New()}})
	l.Publish(page.Notice{Tenant: tenant, Object: "role", Topic: "roles", IDs: []uuid.UUID{uuid.New()}})
	l.Publish(page.Notice{Tenant: tenant, Object: "deal", Topic: "deals", IDs: ids})
	want := `data: {"object":"deals","id":"` + ids[0].String() + `"}`
	if got := nextData(reader); got != want {
		t.Errorf("first event %q, want %q", got, want)
	}
	l.Publish(page.Notice{Tenant: tenant, Object: "deal", Topic: "deals", IDs: make([]uuid.UUID, 1000)})
	if got := nextData(reader); got != `data: {"object":"deals","id":""}` {
		t.Errorf("many changes became %q", got)
	}
	l.Close()
	for reader.Scan() { //nolint:revive // a closed hub ends the stream; a test that hangs here fails by its time limit
	}
	if resp := serve(s.Handle(l.Stream), httptest.NewRequest("GET", "/live", nil)); resp.StatusCode != 401 {
		t.Errorf("nobody: %d", resp.StatusCode)
	}
}

func nextData(lines *bufio.Scanner) string {
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			return lines.Text()
		}
	}
	return "end of stream"
}
