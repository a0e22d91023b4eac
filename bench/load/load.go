// Package load calls an HTTP server from a fixed number of open connections, each sending its next request when the
// last one was answered (a closed loop).
//
// Requests are bytes prepared before the clock starts and written to the socket as they are: the generator shares the
// machine with what it measures, and net/http's client costs as much as a quick handler. Answers are read by the
// standard library, so that chunked ones and length errors are understood.
//
// A closed loop says what a server can do, not what users wait for under a given arrival rate: a slow answer delays the
// next question here, and does not in life.
package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"crm/bench/stats"
)

// Shape bounds a run: by Duration, or by Each requests per connection when that is not 0.
type Shape struct {
	Conns    int
	Duration time.Duration // none starts after it
	Each     int
	// Pace is how often a connection asks, whether or not its last question took longer; a time then counts from when
	// its question was due. 0 = as soon as the last one is answered.
	Pace time.Duration
}

// Plan says what to send where.
type Plan struct {
	Shape
	Addr string // host:port
	Want int    // the status that counts as success
	// Next returns the n-th request of a connection, see Get and Post. Its time counts as the request's.
	Next func(conn, n int) []byte
}

// Result is what came back. Times are without order.
type Result struct {
	Done    int
	Elapsed time.Duration
	Times   []time.Duration
}

// Rate is answers per second.
func (r *Result) Rate() float64 { return float64(r.Done) / r.Elapsed.Seconds() }

// P is a percentile of the times in milliseconds; q is from 0 to 1.
func (r *Result) P(q float64) float64 { return stats.Percentile(r.Times, q) }

// StatusError is an answer of another status than wanted. It ends the run, because a figure over refusals is none.
type StatusError struct {
	Status int
	Body   string // at most 300 bytes
}

func (e *StatusError) Error() string {
	if e.Status == http.StatusNotFound {
		return "answer 404"
	}
	return fmt.Sprintf("answer %d: %s", e.Status, e.Body)
}

// Absent reports whether an error says that the server has no such call.
func Absent(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && (status.Status == http.StatusNotFound || status.Status == http.StatusMethodNotAllowed)
}

// Do runs fn in the same closed loop, for peers that are no servers. conn counts from 0 to Conns-1, n from 0 for each.
// The first error ends the run.
func Do(ctx context.Context, shape Shape, fn func(ctx context.Context, conn, n int) error) (*Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	times := make([][]time.Duration, shape.Conns)
	start := time.Now()
	var wg sync.WaitGroup
	for conn := range shape.Conns {
		wg.Go(func() {
			var err error
			if times[conn], err = loop(ctx, shape, start, func(n int) error { return fn(ctx, conn, n) }); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	r := &Result{Elapsed: time.Since(start), Times: slices.Concat(times...)}
	r.Done = len(r.Times)
	return r, context.Cause(ctx)
}

// due waits until the n-th question is due.
func due(start time.Time, pace time.Duration, n int) time.Time {
	if pace == 0 {
		return time.Now()
	}
	at := start.Add(time.Duration(n) * pace)
	time.Sleep(time.Until(at))
	return at
}

func loop(ctx context.Context, shape Shape, start time.Time, fn func(n int) error) (times []time.Duration, err error) {
	for n := 0; shape.Each == 0 || n < shape.Each; n++ {
		began := due(start, shape.Pace, n)
		if ctx.Err() != nil || shape.Each == 0 && began.Sub(start) > shape.Duration {
			return times, nil
		}
		if err := fn(n); err != nil {
			return times, err
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}

// Run sends the plan and waits for all answers. The first unwanted answer or lost connection ends it.
func Run(ctx context.Context, p Plan) (*Result, error) {
	clients := make([]*client, p.Conns)
	for i := range clients {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Addr)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", p.Addr, err)
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		clients[i] = &client{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}
	}
	return Do(ctx, p.Shape, func(_ context.Context, conn, n int) error { return clients[conn].call(p.Next(conn, n), p.Want) })
}

type client struct {
	conn   net.Conn
	reader *bufio.Reader
}

func (c *client) call(request []byte, want int) error {
	if _, err := c.conn.Write(request); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // the status alone says enough
		return &StatusError{Status: resp.StatusCode, Body: string(body)}
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// Get writes a request without a body; header lines are "Name: value".
func Get(path string, header ...string) []byte { return write("GET", path, nil, header) }

// Post writes a request with a JSON body.
func Post(path string, body []byte, header ...string) []byte {
	return write("POST", path, body, append([]string{"Content-Type: application/json"}, header...))
}

func write(method, path string, body []byte, header []string) []byte {
	out := []byte(method + " " + path + " HTTP/1.1\r\nHost: bench\r\n")
	for _, h := range header {
		out = append(out, h+"\r\n"...)
	}
	if body != nil {
		out = fmt.Appendf(out, "Content-Length: %d\r\n", len(body))
	}
	return append(append(out, "\r\n"...), body...)
}
