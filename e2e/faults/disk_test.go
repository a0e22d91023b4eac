package faults_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"crm/e2e"
	"crm/e2e/faults"
)

// fileLimit lets the running program write no file longer than n bytes: like a full disk
// a write then fails in the middle, and it needs no rights.
func fileLimit(t *testing.T, s *e2e.Server, n uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(s.Pid(), unix.RLIMIT_FSIZE, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(s.Pid(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
}

// files lists what lies in a folder of the data directory.
func files(t *testing.T, s *e2e.Server, folder string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(s.Dir, "data", folder), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// upload sends an import of contacts.
func upload(t *testing.T, api *faults.Client, rows int, headers ...string) *faults.Reply {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := form.WriteField("object", "contacts"); err != nil {
		t.Fatal(err)
	}
	file, err := form.CreateFormFile("file", "people.csv")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(file, "last_name,email")
	for i := range rows {
		fmt.Fprintf(file, "Person %d,p%d@firm%d.test\n", i, i, i)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return api.Do("POST", "/api/v1/imports", &body, append([]string{"Content-Type", form.FormDataContentType()}, headers...)...)
}

// TestDiskFull (F16): imports and exports that find no room say so, leave nothing half
// behind, disturb nobody, and work once there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	w, _ := start(t)
	l := &load{api: func() *faults.Client { return w.api }, seen: func(r *faults.Reply) {
		if r.Err != nil || r.Status != 201 {
			t.Errorf("somebody without a file: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
	}}
	l.start(t, 2)
	l.atWork(t)
	fileLimit(t, w.Server, 2<<10)
	for _, headers := range [][]string{nil, {"Idempotency-Key", "import once"}} {
		r := upload(t, w.api, 2000, headers...)
		if r.Err != nil || r.Status != 507 || r.Text("code") != "no_room" || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("an import without room, %v: %v %d %.300s", headers, r.Err, r.Status, r.Raw)
		}
	}
	if left := files(t, w.Server, "imports"); len(left) > 0 {
		t.Errorf("half imports lie about: %v", left)
	}
	for _, format := range []string{"csv", "xlsx", "ndjson"} {
		if r := export(t, w.api, format); r.Text("state") != "failed" || !strings.Contains(r.Text("error"), "room") {
			t.Errorf("an export without room: %.400s", r.Raw)
		}
	}
	if left := files(t, w.Server, "exports"); len(left) > 0 {
		t.Errorf("half exports lie about: %v", left)
	}
	if !w.Ready() {
		t.Error("not ready because of a full disk")
	}
	l.moves(t, 20)
	l.stop()
	fileLimit(t, w.Server, unix.RLIM_INFINITY)
	if r := export(t, w.api, "csv"); r.Text("state") != "done" {
		t.Errorf("an export with room again: %.400s", r.Raw)
	}
	imp := upload(t, w.api, 300, "Idempotency-Key", "import once more")
	e2e.Until(t, time.Minute, "the import is done with room again", func() bool {
		r := w.api.Must(t, 200, "GET", "/api/v1/imports/"+imp.Text("id"), nil)
		return r.Text("state") == "done" && r.JSON["created"].(float64) == 300
	})
	l.ledger.Compare(t, w.api.Stored(t, "leads", "last_name"))
}

// export asks for all leads in a file, and waits until it is over.
func export(t *testing.T, api *faults.Client, format string) *faults.Reply {
	t.Helper()
	id := api.Must(t, http.StatusAccepted, "POST", "/api/v1/exports", map[string]any{"object": "leads", "format": format}).Text("id")
	var r *faults.Reply
	e2e.Until(t, time.Minute, "the export is over", func() bool {
		r = api.Must(t, 200, "GET", "/api/v1/exports/"+id, nil)
		return r.Text("state") == "done" || r.Text("state") == "failed"
	})
	return r
}
