package embedpg

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFirstStartMakesTheClusterTheProgramExpects(t *testing.T) {
	t.Parallel()
	c := start(t, testConfig(t, openDir(t)))
	for query, want := range map[string]string{
		"select current_user": "crm_owner",
		"select pg_get_userbyid(datdba) from pg_database where datname = 'crm'":                                                                              "crm_owner",
		"select pg_encoding_to_char(encoding) || ' ' || datcollate from pg_database where datname = 'crm'":                                                   "UTF8 C.UTF-8",
		"select string_agg(extname, ' ' order by extname) from pg_extension where extname <> 'plpgsql'":                                                      "pg_trgm unaccent",
		"select bool_or(rolsuper or rolbypassrls or rolcreatedb or rolcreaterole)::text from pg_roles where rolname in ('crm_owner', 'crm_app')":             "false",
		"select (rolbypassrls and not rolcanlogin)::text from pg_roles where rolname = 'crm_search'":                                                         "true",
		"select pg_has_role('crm_owner', 'crm_search', 'member')::text":                                                                                      "true",
		"select pg_has_role('crm_app', 'crm_search', 'member')::text":                                                                                        "false",
		"select pg_has_role('crm_app', 'crm_owner', 'member')::text":                                                                                         "false",
		"select has_schema_privilege('crm_app', 'public', 'create')::text":                                                                                   "false",
		"select has_database_privilege('crm_owner', 'crm', 'create')::text":                                                                                  "true",
		"select has_database_privilege('pg_monitor', 'crm', 'connect')::text":                                                                                "false",
		"select string_agg(setting, ' ' order by name) from pg_settings where name in ('data_checksums', 'fsync', 'full_page_writes', 'synchronous_commit')": "on on on on",
		"select current_setting('listen_addresses')":                                                                                                         "",
		"select current_setting('jit')": "off",
	} {
		if got := ask(t, c, ownerRole, query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if !c.Owned() {
		t.Error("a started cluster is not owned")
	}
}

func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	c := start(t, testConfig(t, openDir(t)))
	info, err := os.Stat(c.socketDir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("socket directory: %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(filepath.Join(c.l.home, "pg_ident.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		who := strings.Fields(line)[1]
		if who != `"root"` && who != `"`+c.me.name+`"` && who != `"`+c.srv.name+`"` {
			t.Errorf("%s may log in", who)
		}
	}
}

func TestSecondStartKeepsRows(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	first := start(t, cfg)
	run(t, first, ownerRole, "create table kept as select 42 as n")
	stop(t, first)
	if err := os.Mkdir(first.l.data+".init", 0o700); err != nil { // as a killed initdb leaves it
		t.Fatal(err)
	}
	if got := ask(t, start(t, cfg), ownerRole, "select n::text from kept"); got != "42" {
		t.Fatalf("row is %s", got)
	}
}

func TestStartRepairsRoles(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	first := start(t, cfg)
	run(t, first, superuser, "alter role crm_app bypassrls; grant crm_owner to crm_app")
	stop(t, first)
	second := start(t, cfg)
	if got := ask(t, second, appRole, "select (rolbypassrls or pg_has_role('crm_owner', 'member'))::text from pg_roles where rolname = current_user"); got != "false" {
		t.Fatal("crm_app kept rights it must not have")
	}
}

func TestOnlyOneParent(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	c := start(t, cfg)
	impatient, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Start(impatient, cfg)
	wantProblem(t, err, ErrInUse, "stop that process", c.l.root)

	guest, err := Attach(t.Context(), cfg)
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	if guest.Owned() {
		t.Error("the guest believes it owns the server")
	}
	if got := ask(t, guest, appRole, "select current_user"); got != appRole {
		t.Errorf("guest is %s", got)
	}
	stop(t, guest)
	stop(t, guest)
	if got := ask(t, c, appRole, "select current_user"); got != appRole {
		t.Errorf("the guest's leaving ended the server")
	}
}

func TestStartWaitsForAShortCommand(t *testing.T) {
	t.Parallel()
	cfg := stoppedCluster(t)
	short, err := Attach(t.Context(), cfg)
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	if !short.Owned() {
		t.Fatal("attach did not start the idle cluster")
	}
	began := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-began
		stop(t, short)
	}()
	close(began)
	start(t, cfg)
	<-ended
}

func TestManyAttachAtOnce(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	var mu sync.Mutex
	var owners int
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			c, err := Attach(t.Context(), cfg)
			if err != nil {
				t.Errorf("attach: %v", err)
				return
			}
			t.Cleanup(func() { stop(t, c) })
			mu.Lock()
			defer mu.Unlock()
			if c.Owned() {
				owners++
			}
			if _, err := tryAsk(t.Context(), c, appRole, "select current_user"); err != nil {
				t.Errorf("use: %v", err)
			}
		})
	}
	all.Wait()
	if owners != 1 {
		t.Fatalf("%d owners", owners)
	}
}

func TestLongPathStillGetsASocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), strings.Repeat("long", 20), "it's a, \"quoted\" name")
	if err := os.MkdirAll(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t, dir)
	c := start(t, cfg)
	if strings.HasPrefix(c.socketDir, dir) {
		t.Fatalf("socket at %s", c.socketDir)
	}
	guest, err := Attach(t.Context(), cfg)
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	if got := ask(t, guest, appRole, "select current_user"); got != appRole {
		t.Fatalf("guest is %s", got)
	}
	stop(t, c)
	if _, err := os.Stat(c.socketDir); !os.IsNotExist(err) {
		t.Errorf("%s was left behind: %v", c.socketDir, err)
	}
}

func TestAwkwardPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{`"b" 'c' \d é %20 #`, "a,b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, testConfig(t, filepath.Join(openDir(t), name)))
			if got := ask(t, c, appRole, "select current_user"); got != appRole {
				t.Fatalf("role is %s", got)
			}
		})
	}
}
