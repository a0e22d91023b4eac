package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Patience is what "does not hang" means here: far beyond what any answer takes, on
// any machine.
const Patience = 40 * time.Second

// Client calls the REST API of one server with one key.
type Client struct {
	URL  string
	Key  string
	HTTP *http.Client
}

// NewClient has connections of its own.
func NewClient(base, key string) *Client {
	return &Client{URL: base, Key: key, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
}

// Reply is what came back. Err is set when the connection broke or nothing came.
type Reply struct {
	Err    error
	Status int
	Header http.Header
	Raw    []byte
	JSON   map[string]any
}

// Text reads a string from the answer, "" when absent.
func (r *Reply) Text(name string) string {
	s, _ := r.JSON[name].(string)
	return s
}

// Outcome is what the reply says of a change. Only 2xx acknowledges; a lost answer and
// "outcome_unknown" may be either; everything else claims that nothing was changed.
func (r *Reply) Outcome() Outcome {
	switch {
	case r.Err != nil || r.Text("code") == "outcome_unknown":
		return Unknown
	case r.Status/100 == 2:
		return OK
	}
	return Failed
}

// IsAway reports a proper "not now": 503 as a problem that says when to come back.
func (r *Reply) IsAway() bool {
	return r.Err == nil && r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != "" &&
		r.Header.Get("Content-Type") == "application/problem+json"
}

// Do sends one request; headers are name and value by turns.
func (c *Client) Do(method, path string, body any, headers ...string) *Reply {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return &Reply{Err: err}
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, reader)
	if err != nil {
		return &Reply{Err: err}
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.Key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.send(req)
}

func (c *Client) send(req *http.Request) *Reply {
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return &Reply{Err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	r := &Reply{Err: err, Status: resp.StatusCode, Header: resp.Header, Raw: raw}
	_ = json.Unmarshal(raw, &r.JSON) // no JSON has no fields
	return r
}

// Must is Do that fails the test unless the status is wanted.
func (c *Client) Must(t testing.TB, want int, method, path string, body any) *Reply {
	t.Helper()
	r := c.Do(method, path, body)
	if r.Err != nil || r.Status != want {
		t.Fatalf("%s %s: %v, %d, want %d: %.600s", method, path, r.Err, r.Status, want, r.Raw)
	}
	return r
}

// Stored counts how often each value of a field is there, page by page.
func (c *Client) Stored(t testing.TB, plural, field string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, row := range c.All(t, plural, "fields=id,"+field) {
		name, _ := row[field].(string)
		out[name]++
	}
	return out
}

// All reads every row of a list.
func (c *Client) All(t testing.TB, plural, query string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for cursor := ""; ; {
		r := c.Must(t, http.StatusOK, http.MethodGet, "/api/v1/"+plural+"?limit=200&"+query+cursor, nil)
		list, _ := r.JSON["data"].([]any)
		for _, it := range list {
			out = append(out, it.(map[string]any))
		}
		next := r.Text("next_cursor")
		if next == "" {
			return out
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
}
