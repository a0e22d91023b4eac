package importinghttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/blob"
	"crm/internal/platform/jobs"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/importing"
	"crm/internal/record/importing/importinghttp"
	"crm/internal/record/recordtest"
)

type contact struct {
	record.Base
	FirstName string `crm:"first_name,text,search,title"`
	LastName  string `crm:"last_name,text,required,search,title"`
	Email     string `crm:"email,email,search"`
	DoNot     bool   `crm:"do_not_contact,boolean,default=false"`
}

// server is the API of one world; the header As says in whose name a call is made.
type server struct {
	t   *testing.T
	env *recordtest.Env
	url string
}

func serve(t *testing.T) *server {
	t.Helper()
	env := recordtest.New(t)
	if _, err := record.Register[contact](env.K, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}, record.HooksFor[contact]{}); err != nil {
		t.Fatal(err)
	}
	files, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	registry := jobs.NewRegistry()
	var s *importing.Service
	importing.Work(registry, func() *importing.Service { return s })
	client, err := jobs.New(registry, jobs.Options{Pool: env.DB.Pool(), Log: slog.New(slog.DiscardHandler), Works: true})
	if err != nil {
		t.Fatal(err)
	}
	s = importing.New(importing.Deps{Kernel: env.K, Files: files, Jobs: client, MaxFile: 8 << 20})
	if err := client.Start(context.WithoutCancel(t.Context()), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Stop(context.WithoutCancel(t.Context())) })
	var api rest.API
	api.Add(importinghttp.New(s).Routes()...)
	router := chi.NewRouter()
	people := map[string]context.Context{"admin": env.Admin, "rep": env.Rep, "other": env.Other}
	router.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if ctx := people[r.Header.Get("As")]; ctx != nil {
				r = r.WithContext(auth.With(r.Context(), auth.From(ctx)))
			}
			next.ServeHTTP(w, r)
		})
	})
	api.Mount(router)
	srv := httptest.NewServer(router)
	t.Cleanup(srv.Close)
	return &server{t: t, env: env, url: srv.URL}
}

func (s *server) call(as, method, path, contentType string, body io.Reader) (int, []byte, http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("As", as)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, raw, res.Header
}

// upload sends the parts in the order given: name, value, name, value; "file" is the file.
func (s *server) upload(as string, parts ...string) (int, map[string]any) {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for pair := range slices.Chunk(parts, 2) {
		var w io.Writer
		var err error
		if pair[0] == "file" {
			w, err = form.CreateFormFile("file", `..\..\evil/contacts.csv`)
		} else {
			w, err = form.CreateFormField(pair[0])
		}
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = io.WriteString(w, pair[1])
	}
	_ = form.Close()
	status, raw, _ := s.call(as, "POST", "/imports", form.FormDataContentType(), &body)
	return status, decode(s.t, raw)
}

func decode(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return out
}

// wait polls until the import is over.
func (s *server) wait(as, id string) map[string]any {
	s.t.Helper()
	for {
		status, raw, _ := s.call(as, "GET", "/imports/"+id, "", nil)
		if status != 200 {
			s.t.Fatalf("get: %d %s", status, raw)
		}
		imp := decode(s.t, raw)
		if state := imp["state"]; state != "queued" && state != "running" {
			return imp
		}
	}
}

func TestUploadToUndo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, imp := s.upload("admin", "file", "First name,Surname,Email,Shoe size\nAda,Smith,ada@example.com,38\nBob,,,44\nCy,Young,no mail,45\n",
		"object", "contacts", "create_fields", "true")
	if status != 202 || imp["id"] == nil || imp["file_name"] != "contacts.csv" {
		t.Fatalf("upload: %d %v", status, imp)
	}
	id := imp["id"].(string)
	imp = s.wait("admin", id)
	if imp["state"] != "done" || imp["read"] != 3.0 || imp["created"] != 1.0 || imp["failed"] != 2.0 || imp["rate"].(float64) <= 0 || imp["total"] != 3.0 {
		t.Errorf("import: %v", imp)
	}
	if fmt.Sprint(imp["created_fields"]) != "[custom.shoe_size]" {
		t.Errorf("fields made: %v", imp["created_fields"])
	}
	status, raw, header := s.call("admin", "GET", "/imports/"+id+"/errors.csv", "", nil)
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/csv") || !strings.Contains(header.Get("Content-Disposition"), ".csv") ||
		string(raw) != "First name,Surname,Email,Shoe size,import_error\nBob,,,44,Last name is needed.\nCy,Young,no mail,45,Enter an address like name@company.com.\n" {
		t.Errorf("errors.csv: %d %v %s", status, header, raw)
	}
	status, raw, _ = s.call("admin", "GET", "/imports?limit=5", "", nil)
	if status != 200 || len(decode(t, raw)["data"].([]any)) != 1 {
		t.Errorf("list: %d %s", status, raw)
	}
	for _, act := range []string{"cancel", "undo"} {
		if status, _, _ := s.call("other", "POST", "/imports/"+id+"/"+act, "", nil); status != 404 {
			t.Errorf("another tenant may %s: %d", act, status)
		}
	}
	if status, _, _ := s.call("other", "GET", "/imports/"+id+"/errors.csv", "", nil); status != 404 {
		t.Errorf("another tenant reads the refused rows: %d", status)
	}
	if status, raw, _ := s.call("admin", "POST", "/imports/"+id+"/cancel", "", nil); status != 409 {
		t.Errorf("cancel when over: %d %s", status, raw)
	}
	status, raw, _ = s.call("admin", "POST", "/imports/"+id+"/undo", "", nil)
	if status != 200 || decode(t, raw)["undo"].(map[string]any)["reversed"] != 1.0 {
		t.Errorf("undo: %d %s", status, raw)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ok := "last_name\nA\n"
	for name, c := range map[string]struct {
		as     string
		parts  []string
		status int
		field  string
	}{
		"nobody":           {"", []string{"object", "contact", "file", ok}, 401, ""},
		"without right":    {"rep", []string{"object", "contact", "create_fields", "1", "file", ok}, 403, ""},
		"no file":          {"admin", []string{"object", "contact"}, 422, "file"},
		"no object":        {"admin", []string{"file", ok}, 422, "object"},
		"unknown object":   {"admin", []string{"file", ok, "object", "x"}, 422, "object"},
		"unknown part":     {"admin", []string{"object", "contact", "files", ok}, 422, "files"},
		"part twice":       {"admin", []string{"object", "contact", "object", "contact", "file", ok}, 422, "object"},
		"bad mapping":      {"admin", []string{"object", "contact", "mapping", "{", "file", ok}, 422, "mapping"},
		"mapping array":    {"admin", []string{"object", "contact", "mapping", "[1]", "file", ok}, 422, "mapping"},
		"unknown field":    {"admin", []string{"object", "contact", "mapping", `{"last_name":"nome"}`, "file", ok}, 422, "mapping.last_name"},
		"bad flag":         {"admin", []string{"object", "contact", "dry_run", "perhaps", "file", ok}, 422, "dry_run"},
		"bad mode":         {"admin", []string{"object", "contact", "mode", "x", "file", ok}, 422, "mode"},
		"invalid utf-8":    {"admin", []string{"object", "\xff", "file", ok}, 400, ""},
		"binary":           {"admin", []string{"object", "contact", "file", "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 999)}, 422, "file"},
		"empty":            {"admin", []string{"object", "contact", "file", ""}, 422, "file"},
		"too large":        {"admin", []string{"object", "contact", "file", strings.Repeat("last_name\n", 1<<20)}, 413, ""},
		"field too large":  {"admin", []string{"object", strings.Repeat("x", 2<<20), "file", ok}, 422, "object"},
		"mapping with nul": {"admin", []string{"object", "contact", "mapping", "{\"a\":\"\x00\"}", "file", ok}, 400, ""},
	} {
		status, problem := s.upload(c.as, c.parts...)
		var field string
		if list, _ := problem["errors"].([]any); len(list) > 0 {
			field, _ = list[0].(map[string]any)["field"].(string)
		}
		if status != c.status || field != c.field {
			t.Errorf("%s: %d %v, want %d about %q", name, status, problem, c.status, c.field)
		}
	}
	for name, c := range map[string]struct {
		contentType, body string
		status            int
	}{
		"json":        {"application/json", "{}", 415},
		"none":        {"", "", 415},
		"no boundary": {"multipart/form-data", "x", 400},
		"cut short":   {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nlast_name\nA", 400},
		"garbage":     {"multipart/form-data; boundary=b", "garbage", 422},
	} {
		if status, raw, _ := s.call("admin", "POST", "/imports", c.contentType, strings.NewReader(c.body)); status != c.status {
			t.Errorf("%s: %d %s, want %d", name, status, raw, c.status)
		}
	}
	for _, path := range []string{"/imports/" + uuid.NewString(), "/imports/x", "/imports/" + uuid.NewString() + "/errors.csv"} {
		if status, raw, _ := s.call("admin", "GET", path, "", nil); status != 404 {
			t.Errorf("%s: %d %s", path, status, raw)
		}
	}
	if status, _, _ := s.call("admin", "GET", "/imports?limit=1000", "", nil); status != 400 {
		t.Errorf("a limit over 200: %d", status)
	}
}
