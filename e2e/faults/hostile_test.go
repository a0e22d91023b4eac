package faults_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crm/e2e"
	"crm/e2e/faults"
)

// dial opens a bare connection to the server and sends text.
func dial(t *testing.T, w *world, text string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(faults.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// statusOf reads one answer; 0 when the connection is closed without one.
func statusOf(conn net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestSlowClients (F29): hundreds of half requests are let go of, while others are served.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	w, _ := start(t)
	l := &load{api: func() *faults.Client { return w.api }, seen: func(r *faults.Reply) {
		if r.Err != nil || r.Status != 201 {
			t.Errorf("a normal request: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
	}}
	l.start(t, 2)
	l.atWork(t)
	before := metric(t, w.Server, "process_resident_memory_bytes")
	var headers, bodies []net.Conn
	for i := range 300 {
		headers = append(headers, dial(t, w, fmt.Sprintf("GET /api/v1/leads HTTP/1.1\r\nHost: x\r\nX-Slow-%d: ", i)))
	}
	for range 50 {
		bodies = append(bodies, dial(t, w, "POST /api/v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+w.api.Key+"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"last_name\":"))
	}
	l.moves(t, 50)
	if grown := metric(t, w.Server, "process_resident_memory_bytes") - before; grown > 100<<20 {
		t.Errorf("%v MB more for half requests", grown/(1<<20))
	}
	for _, conn := range headers {
		if st := statusOf(conn); st != 0 && st != http.StatusRequestTimeout {
			t.Errorf("half a header is answered with %d", st)
		}
	}
	for _, conn := range bodies {
		if st := statusOf(conn); st != http.StatusRequestTimeout {
			t.Errorf("half a body is answered with %d", st)
		}
	}
	l.moves(t, 20)
	l.stop()
	l.ledger.Compare(t, w.api.Stored(t, "leads", "last_name"))
}

// TestSlowBodyThatComes: a body in pieces over more time than a handler has patience
// between two of them is taken, and a long pause after it cancels nothing.
func TestSlowBodyThatComes(t *testing.T) {
	t.Parallel()
	w, _ := start(t)
	r, pipe := io.Pipe()
	go func() {
		for _, piece := range []string{`{"last_name":`, `"Piece`, ` by piece"}`} {
			_, _ = io.WriteString(pipe, piece)
		}
		_ = pipe.Close()
	}()
	if got := w.api.Do("POST", "/api/v1/leads", r); got.Status != 201 {
		t.Errorf("a body in pieces: %v %d %.300s", got.Err, got.Status, got.Raw)
	}
}

// endless is a body without end, of one letter.
type endless struct{ letter byte }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.letter
	}
	return len(p), nil
}

// bomb is 200 MB of spaces as a few hundred kilobytes.
func bomb(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.Copy(z, io.LimitReader(endless{' '}, 200<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestHugeRequests (F30): what is too much is refused for what it is, without memory for
// it, while others are served.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	w, _ := start(t)
	l := &load{api: func() *faults.Client { return w.api }, seen: func(r *faults.Reply) {
		if r.Err != nil || r.Status != 201 {
			t.Errorf("a normal request: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
	}}
	l.start(t, 2)
	l.atWork(t)
	const gb10 = 10 << 30
	before := metric(t, w.Server, "process_resident_memory_bytes")
	packed := bomb(t)
	keys := strings.Repeat("a&", 1_000_000)
	many := make([]string, 0, 90_000)
	for i := range 90_000 {
		many = append(many, fmt.Sprintf("k%d=1", i))
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	tests := []struct {
		name    string
		path    string
		body    func() io.Reader
		headers []string
		status  []int
	}{
		{"10 GB in chunks", "/api/v1/leads", func() io.Reader { return io.LimitReader(endless{' '}, gb10) }, nil, []int{413}},
		{"10 GB in chunks, keyed", "/api/v1/leads", func() io.Reader { return io.LimitReader(endless{' '}, gb10) }, []string{"Idempotency-Key", "huge"}, []int{413}},
		{"10 GB to sign in", "/sign-in", func() io.Reader { return io.LimitReader(endless{'a'}, gb10) }, form, []int{400, 413}},
		{"many keys to sign in", "/sign-in", func() io.Reader { return strings.NewReader(keys) }, form, []int{400, 413}},
		{"many keys to a page", "/alpha/leads/new", func() io.Reader { return strings.NewReader(strings.Join(many, "&")) }, form, []int{303, 200, 400, 401, 403, 404, 405, 413}},
		{"a gzip bomb", "/api/v1/leads", func() io.Reader { return bytes.NewReader(packed) }, []string{"Content-Encoding", "gzip"}, []int{400, 413, 415}},
		{"headers of 1 MB", "/api/v1/leads", func() io.Reader { return strings.NewReader("{}") }, []string{"X-Large", strings.Repeat("x", 1<<20)}, []int{431}},
		{"nesting", "/api/v1/leads", func() io.Reader { return strings.NewReader(strings.Repeat(`{"a":`, 100_000)) }, nil, []int{400}},
	}
	var wg sync.WaitGroup
	for _, tt := range tests {
		wg.Go(func() {
			// A refused sender may meet the closed connection before he reads why.
			e2e.Until(t, time.Minute, tt.name+" is answered", func() bool {
				r := faults.NewClient(w.URL, w.api.Key).Do("POST", tt.path, tt.body(), tt.headers...)
				if r.Err == nil && !slices.Contains(tt.status, r.Status) {
					t.Errorf("%s: %d %.300s", tt.name, r.Status, r.Raw)
				}
				return r.Err == nil
			})
		})
	}
	wg.Wait()
	l.moves(t, 20)
	if grown := metric(t, w.Server, "process_resident_memory_bytes") - before; grown > 150<<20 {
		t.Errorf("%v MB more after huge requests", grown/(1<<20))
	}
	l.stop()
	l.ledger.Compare(t, w.api.Stored(t, "leads", "last_name"))
}
