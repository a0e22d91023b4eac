package installed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"crm/bench/load"
)

// Client calls the REST API for what surrounds a measurement; the measured calls themselves are made by package load.
type Client struct {
	Addr string
	Key  string
}

// Bearer is the header line that signs a request in.
func (c *Client) Bearer() string { return "Authorization: Bearer " + c.Key }

// Call sends body as JSON (nil = none), wants a 2xx answer and decodes it into out, when given. Another status is a
// *load.StatusError.
func (c *Client) Call(ctx context.Context, method, path string, body, out any) error {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write body of %s: %w", path, err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url(path), reader)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.send(req, out)
}

func (c *Client) url(path string) string { return "http://" + c.Addr + "/api/v1" + path }

func (c *Client) send(req *http.Request, out any) error {
	req.Header.Set("Authorization", "Bearer "+c.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", req.URL.Path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, &load.StatusError{Status: resp.StatusCode, Body: string(raw[:min(len(raw), 300)])})
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("read answer of %s: %w", req.URL.Path, err)
	}
	return nil
}

// Import is the state of an import.
type Import struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Read    int    `json:"read"`
	Created int    `json:"created"`
	Failed  int    `json:"failed"`
}

// Import uploads a CSV file and waits until all its rows are in. fields are the form's, such as object and mapping.
func (c *Client) Import(ctx context.Context, csv []byte, fields map[string]string) (*Import, error) {
	body, kind, err := form(csv, fields)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url("/imports"), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	var imp Import
	if err := c.send(req, &imp); err != nil {
		return nil, err
	}
	err = c.Until(ctx, func() (bool, error) {
		err := c.Call(ctx, http.MethodGet, "/imports/"+imp.ID, nil, &imp)
		return imp.State == "done" || imp.State == "failed" || imp.State == "cancelled", err
	})
	if err == nil && (imp.State != "done" || imp.Failed > 0) {
		err = fmt.Errorf("import ended as %s with %d failed rows of %d", imp.State, imp.Failed, imp.Read)
	}
	return &imp, err
}

func form(csv []byte, fields map[string]string) (*bytes.Buffer, string, error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			return nil, "", err
		}
	}
	part, err := w.CreateFormFile("file", "people.csv")
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(csv); err != nil {
		return nil, "", err
	}
	return &buf, w.FormDataContentType(), w.Close()
}

// Until asks every 10 ms, for ten minutes at most.
func (c *Client) Until(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %w", ctx.Err())
		case <-every.C:
		}
	}
}
