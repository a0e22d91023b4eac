package app

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"crm/internal/platform/errs"
)

// A request may come, and an answer be taken, as slowly as a bad telephone line allows
// and not more slowly: who sends a byte now and then holds a connection and what hangs
// on it for as long as he likes otherwise.
const (
	bodyPatience = 10 * time.Second // beyond what the rate allows
	readPatience = 30 * time.Second // for a client that takes its answer
	slowest      = 4 << 10          // bytes a second
	maxPageForm  = 1 << 20          // bytes of a form that is no upload
)

func atSlowest(n int64) time.Duration { return time.Duration(n) * time.Second / slowest }

// pace cuts off requests that come too slowly, and answers nobody takes.
func (a *App) pace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.draining.Load() {
			w.Header().Set("Connection", "close") // whoever keeps connections goes elsewhere with the next request
		}
		rc := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			_ = rc.SetWriteDeadline(time.Time{}) // of the request before, on the same connection
			r.Body = &pacedBody{ReadCloser: r.Body, rc: rc, begun: time.Now()}
		}
		pw := &pacedWriter{ResponseWriter: w, rc: rc}
		next.ServeHTTP(pw, r)
		pw.allow(0) // for what is still in the buffer
	})
}

// pacedBody is a request's body with a deadline that moves with what has come.
type pacedBody struct {
	io.ReadCloser
	rc     *http.ResponseController
	begun  time.Time
	n      int64
	latest time.Time
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if end := b.begun.Add(bodyPatience + atSlowest(b.n)); end.Sub(b.latest) > time.Second {
		b.latest = end
		_ = b.rc.SetReadDeadline(end) // a connection without deadlines is a test's
	}
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, errs.Wrap(err, errs.TooSlow, "body_too_slow", "The request came too slowly to wait for its end. Nothing was changed; send it again over a better connection.")
	}
	_ = b.rc.SetReadDeadline(time.Time{}) // or the handler would be cancelled by it, long after the body has come
	return n, err
}

// pacedWriter gives each piece of an answer its time.
type pacedWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

func (w *pacedWriter) allow(n int) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(readPatience + atSlowest(int64(n)))) // as above
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	w.allow(len(p))
	return w.ResponseWriter.Write(p)
}

func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// smallForms bounds the forms of pages; files have a limit of their own.
func smallForms(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			r.Body = http.MaxBytesReader(w, r.Body, maxPageForm)
		}
		next.ServeHTTP(w, r)
	})
}
