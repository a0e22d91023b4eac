package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Client calls the REST API with one key.
type Client struct {
	URL string
	Key string
}

// Answer is what a call got back.
type Answer struct {
	Status int
	Raw    []byte
	JSON   map[string]any
}

// Text reads a string from the answer, "" when absent.
func (a *Answer) Text(name string) string {
	s, _ := a.JSON[name].(string)
	return s
}

// Num reads a number from the answer.
func (a *Answer) Num(name string) float64 {
	n, _ := a.JSON[name].(float64)
	return n
}

// Data is the list of a list answer.
func (a *Answer) Data() []map[string]any {
	var out []map[string]any
	list, _ := a.JSON["data"].([]any)
	for _, it := range list {
		out = append(out, it.(map[string]any))
	}
	return out
}

// Do sends one request; only a lost connection is an error.
func (c *Client) Do(method, path string, body any) (*Answer, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, c.URL+"/api/v1"+path, reader) //nolint:noctx // the client has a time-out
	if err != nil {
		return nil, err
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.send(req)
}

var httpClient = &http.Client{Timeout: time.Minute}

func (c *Client) send(req *http.Request) (*Answer, error) {
	if c.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.Key)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: resp.StatusCode, Raw: raw}
	_ = json.Unmarshal(raw, &a.JSON)
	return a, nil
}

// Call is Do that fails the test unless the status is wanted.
func (c *Client) Call(t testing.TB, want int, method, path string, body any) *Answer {
	t.Helper()
	a, err := c.Do(method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.Status != want {
		t.Fatalf("%s %s: %d, want %d: %.600s", method, path, a.Status, want, a.Raw)
	}
	return a
}

// Upload starts an import and returns its id.
func (c *Client) Upload(t testing.TB, file string, fields map[string]string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return c.UploadBytes(t, filepath.Base(file), raw, fields)
}

// UploadBytes is Upload of what is in memory.
func (c *Client) UploadBytes(t testing.TB, name string, raw []byte, fields map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	mw := multipart.NewWriter(&buf)
	for k, v := range fields {
		if err := mw.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	part, err := mw.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(raw)
	}
	if err == nil {
		err = mw.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, c.URL+"/api/v1/imports", &buf) //nolint:noctx // the client has a time-out
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mw.FormDataContentType())
	a, err := c.send(req)
	if err != nil || a.Status != 202 {
		t.Fatalf("upload %s: %v %s", name, err, a.Raw)
	}
	return a.Text("id")
}

// ImportDone waits for an import and returns its final answer.
func (c *Client) ImportDone(t testing.TB, id string) *Answer {
	t.Helper()
	var last *Answer
	Until(t, 3*time.Minute, "import "+id+" is done", func() bool {
		a, err := c.Do("GET", "/imports/"+id, nil)
		if err != nil || a.Status != 200 {
			return false
		}
		last = a
		return a.Text("state") == "done" || a.Text("state") == "failed"
	})
	return last
}

// Count asks how many records a list has.
func (c *Client) Count(t testing.TB, path string) int {
	t.Helper()
	sep := "?"
	if bytes.ContainsRune([]byte(path), '?') {
		sep = "&"
	}
	return int(c.Call(t, 200, "GET", path+sep+"count=exact&limit=1", nil).Num("count"))
}

// String shows an answer in a failing test.
func (a *Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Raw) }
