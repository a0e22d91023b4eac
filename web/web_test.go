package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"crm/web"
)

func get(t *testing.T, path, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	web.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestAssetsAreImmutableAndPacked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, accept, encoding, kind string }{
		{"app.css", "gzip, deflate, br", "br", "text/css; charset=utf-8"},
		{"core.js", "gzip", "gzip", "text/javascript; charset=utf-8"},
		{"core.js", "br;q=0, gzip", "gzip", "text/javascript; charset=utf-8"},
		{"icons.svg", "", "", "image/svg+xml"},
		{"inter-latin.woff2", "br", "", "font/woff2"},
		{"app.webmanifest", "", "", "application/manifest+json"},
	} {
		res := get(t, web.AssetURL(c.name), c.accept)
		if res.StatusCode != 200 || res.Header.Get("Content-Encoding") != c.encoding || res.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s accepting %q: %d %q %q", c.name, c.accept, res.StatusCode, res.Header.Get("Content-Encoding"), res.Header.Get("Content-Type"))
		}
		if !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not immutable", c.name)
		}
	}
}

// The packed form holds what the plain form holds, and references hashed names.
func TestStylesNameTheHashedFont(t *testing.T) {
	t.Parallel()
	packed, err := gzip.NewReader(get(t, web.AssetURL("app.css"), "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	css, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(css), web.AssetURL("inter-latin.woff2")) {
		t.Error("app.css does not name the built font")
	}
}

func TestUnknownAssetsAreNotFound(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/assets/", "/assets/manifest.json", "/assets/app.css", "/assets/../web.go", web.AssetURL("app.css") + ".gz", web.AssetURL("nothing.js")} {
		if res := get(t, path, "gzip"); res.StatusCode != 404 {
			t.Errorf("%s answered %d", path, res.StatusCode)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	web.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, web.AssetURL("app.css"), nil))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST answered %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestBuildIsNamed(t *testing.T) {
	t.Parallel()
	if id := web.BuildID(); len(id) != 12 {
		t.Errorf("build id is %q, expected are 12 hex digits", id)
	}
}
