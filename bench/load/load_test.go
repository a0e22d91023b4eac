package load_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crm/bench/load"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func TestRunSendsEachRequestOnce(t *testing.T) {
	t.Parallel()
	var bytes, calls atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bytes.Add(int64(len(body)))
		if r.Header.Get("Authorization") != "Bearer x" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		calls.Add(1)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, strings.Repeat("long enough to be chunked ", 500))
	})
	got, err := load.Run(t.Context(), load.Plan{Addr: addr, Shape: load.Shape{Conns: 4, Each: 25}, Want: 201, Next: func(conn, n int) []byte {
		return load.Post("/x", []byte(`{"a":1}`), "Authorization: Bearer x")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Done != 100 || calls.Load() != 100 || bytes.Load() != 700 || got.P(0.99) <= 0 || got.Rate() <= 0 {
		t.Errorf("%d done, %d calls, %d bytes", got.Done, calls.Load(), bytes.Load())
	}
}

func TestRunEndsAtItsDuration(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	got, err := load.Run(t.Context(), load.Plan{Addr: addr, Shape: load.Shape{Conns: 2, Duration: 20 * time.Millisecond}, Want: 204, Next: func(int, int) []byte { return load.Get("/") }})
	if err != nil || got.Done == 0 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestRunStopsAtTheFirstRefusal(t *testing.T) {
	t.Parallel()
	addr := serve(t, http.NotFound)
	_, err := load.Run(t.Context(), load.Plan{Addr: addr, Shape: load.Shape{Conns: 3, Duration: time.Hour}, Want: 200, Next: func(int, int) []byte { return load.Get("/") }})
	if err == nil || !load.Absent(err) {
		t.Errorf("error: %v", err)
	}
}

func TestDoEndsEverybodyAtTheFirstError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	got, err := load.Do(t.Context(), load.Shape{Conns: 2, Duration: time.Hour}, func(_ context.Context, conn, n int) error {
		if conn == 1 && n == 3 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || got.Done < 3 {
		t.Errorf("%d done, %v", got.Done, err)
	}
}
