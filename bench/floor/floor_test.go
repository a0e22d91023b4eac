package floor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/bench/floor"
	"crm/internal/platform/db/dbtest"
)

// TestFloor also holds the floor's columns and the table's together: Serve refuses when they differ.
func TestFloor(t *testing.T) {
	t.Parallel()
	db, tenant, other := dbtest.New(t), uuid.New(), uuid.New()
	pool, err := floor.Connect(t.Context(), db.AppURL, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	people := []floor.Person{
		{FirstName: "Ada", LastName: "Goldsmith", Email: "ada@example.com", Lifecycle: "customer"},
		{FirstName: "Bob", LastName: "Stone", Email: "bob@example.com", Lifecycle: "lead"},
	}
	if err := floor.Insert(t.Context(), pool, tenant, &people[0]); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uuid.UUID{tenant, other} {
		if err := floor.InsertMany(t.Context(), pool, id, people[1:]); err != nil {
			t.Fatal(err)
		}
	}
	url := serve(t, db.AppURL, tenant)
	if got := names(t, url+"/contacts/by-lifecycle?lifecycle=lead"); got != "Stone" {
		t.Errorf("leads of this tenant: %q", got)
	}
	if got := names(t, url+"/contacts/by-name?part=smi"); got != "Goldsmith" {
		t.Errorf("smi: %q", got)
	}
	var id uuid.UUID
	if err := db.Owner.QueryRow(t.Context(), "select id from contacts where last_name = 'Goldsmith'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	var ada floor.Contact
	get(t, url+"/contacts/"+id.String(), &ada)
	if ada.ID != id || *ada.FirstName != "Ada" || ada.Version != 1 || ada.Title == nil {
		t.Errorf("one contact: %+v", ada)
	}
	if got := names(t, url+"/search?q=ada"); got != "" {
		t.Errorf("the floor writes no search documents, found %q", got)
	}
}

// serve runs the floor until the test ends.
func serve(t *testing.T, database string, tenant uuid.UUID) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := floor.Serve(ctx, database, tenant, w)
		_ = w.CloseWithError(err)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	addr, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + strings.TrimSpace(addr)
}

func get(t *testing.T, url string, out any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d %s %v", url, resp.StatusCode, raw, err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
}

// names are the last names of a list.
func names(t *testing.T, url string) string {
	t.Helper()
	var page struct{ Data []floor.Contact }
	get(t, url, &page)
	var out []string
	for _, c := range page.Data {
		out = append(out, *c.LastName)
	}
	return strings.Join(out, " ")
}
