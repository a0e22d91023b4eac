// Package web holds the built browser assets (styles, script, icons, font) and
// serves them. `go run ./cmd/assets` builds web/dist from web/css, web/src,
// web/icons, web/fonts and web/static; the result is committed, so building the
// server needs neither node nor this step.
//
// Every file is named by its content, name.hash.ext, and served for a year as
// immutable. AssetURL is the only way to learn an address. A page whose data-build
// differs from a freshly fetched one is loaded in full by the script, so an old
// tab never mixes two builds.
//
// The components that use these files live in crm/web/ui. This package knows no
// tenant and no session; its handler needs no authentication.
package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed dist
var dist embed.FS

// Manifest maps a name to its built file and carries the id of the build.
type Manifest struct {
	Build string            `json:"build"`
	Files map[string]string `json:"files"`
}

var manifest = sync.OnceValue(readManifest)

// readManifest yields an empty manifest when dist is broken; the tests of this
// package fail then, long before a page is drawn without styles.
func readManifest() Manifest {
	var m Manifest
	data, err := dist.ReadFile("dist/manifest.json")
	if err != nil || json.Unmarshal(data, &m) != nil {
		return Manifest{Build: "none"}
	}
	return m
}

// AssetURL is the address of a built file: AssetURL("app.css") →
// "/assets/app.3f9c2b1a.css". An unknown name comes back under /assets as it is
// and answers 404.
func AssetURL(name string) string {
	if hashed, ok := manifest().Files[name]; ok {
		return "/assets/" + hashed
	}
	return "/assets/" + name
}

// BuildID names this set of assets; it stands in data-build of every page.
func BuildID() string { return manifest().Build }

// Handler serves GET and HEAD /assets/… with the best encoding the browser takes
// (br, gzip, identity) and a year of immutable caching. It expects the full path.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil { // "dist" is a constant path that //go:embed has checked
		return http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(files, w, r) })
}

func serve(files fs.FS, w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/assets/")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "assets are read only", http.StatusMethodNotAllowed)
		return
	}
	data, encoding, ok := pick(files, name, r.Header.Get("Accept-Encoding"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// pick chooses the smallest stored form the browser accepts. Only names listed in
// the manifest exist; the manifest itself and the packed twins are not served.
func pick(files fs.FS, name, accept string) (data []byte, encoding string, ok bool) {
	if !known(name) {
		return nil, "", false
	}
	for _, form := range []struct{ suffix, encoding string }{{".br", "br"}, {".gz", "gzip"}} {
		if !accepts(accept, form.encoding) {
			continue
		}
		if data, err := fs.ReadFile(files, name+form.suffix); err == nil {
			return data, form.encoding, true
		}
	}
	data, err := fs.ReadFile(files, name)
	return data, "", err == nil
}

func known(name string) bool {
	for _, f := range manifest().Files {
		if f == name {
			return true
		}
	}
	return false
}

// accepts reads Accept-Encoding; a weight of zero is a refusal.
func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		q := strings.ReplaceAll(params, " ", "")
		return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
	}
	return false
}

// contentType is fixed here because the system's own table differs by machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".png":
		return "image/png"
	case ".webmanifest":
		return "application/manifest+json"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
