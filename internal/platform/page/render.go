package page

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/a-h/templ"
)

// gzipFrom is the size from which packing pays; smaller pages fit one packet.
const gzipFrom = 1400

var (
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	packers = sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, 5) // 5 is a valid level
		return z
	}}
)

// Render draws the document into memory and then writes it, so that a failure
// half-way becomes an error page instead of half a page.
func (s *Site) Render(w http.ResponseWriter, r *http.Request, status int, document templ.Component) error {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer buffers.Put(buf)
	if err := document.Render(r.Context(), buf); err != nil {
		return fmt.Errorf("draw the page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Encoding")
	body := buf.Bytes()
	if len(body) >= gzipFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		packed := buffers.Get().(*bytes.Buffer)
		packed.Reset()
		defer buffers.Put(packed)
		if err := pack(packed, body); err != nil {
			return err
		}
		w.Header().Set("Content-Encoding", "gzip")
		body = packed.Bytes()
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a reader who went away is no failure of ours
	return nil
}

func pack(dst *bytes.Buffer, body []byte) error {
	z := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	z.Reset(dst)
	if _, err := z.Write(body); err != nil {
		return fmt.Errorf("pack the page: %w", err)
	}
	return z.Close()
}
