// Package crm_test holds the import law: which package may know which. The compiler enforces a part of it (nested
// internal folders); the rest stands here, each article with its reason, because a border that is only written down
// is crossed within a month. It reads what `go list` says, so a package that does not exist yet breaks no law.
package crm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// contexts are the bounded contexts: the folders of internal/ that hold business. A new one is added here first.
var contexts = []string{
	"contacts", "leads", "deals", "activities", "messaging", "scoring", "identity", "analytics", "objects",
	"workflows", "integrations", "compliance",
}

// foundations are the other folders of internal/.
var foundations = []string{"app", "record", "platform", "testdata"}

const maxMechanisms = 24

var (
	// edgesOfHTTP may be imported by a context's http package, never by its root.
	edgesOfHTTP = []string{"net/http", "html/template", "github.com/a-h/templ", "github.com/go-chi/chi", "crm/web"}

	contextNoun = regexp.MustCompile(
		`^(contact|account|lead|deal|pipeline|activity|activitie|message|messaging|campaign|score|scoring|workflow|segment|product)s?(db|http|test)?$`)
	migrationName = regexp.MustCompile(
		`^\d{14}_(platform|record|` + strings.Join(contexts, "|") + `)_[a-z0-9_]+\.sql$`)
)

// goPackage is what `go list -json` says of one package; imports of test files are listed apart.
type goPackage struct {
	ImportPath   string
	Doc          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// article gets an importing package and one import, both as paths below the module, and returns the reason for a
// refusal or nothing.
type article func(from, to string) string

var (
	lawForTests = []article{contextsAreStrangers, nobodyImportsApp}
	law         = append([]article{
		rootsKnowNoHTTP, handlersUseTheService, recordKnowsNoContext, platformStandsBelow, filesImportNothing,
	}, lawForTests...)
)

// judge returns the first reason for which the import is refused.
func judge(articles []article, from, to string) string {
	for _, refuses := range articles {
		if reason := refuses(from, to); reason != "" {
			return reason
		}
	}
	return ""
}

func TestImportLaw(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		from := strings.TrimPrefix(p.ImportPath, "crm/")
		check := func(imports []string, articles []article) {
			for _, imported := range imports {
				to := strings.TrimPrefix(imported, "crm/")
				if reason := judge(articles, from, to); reason != "" {
					t.Errorf("%s imports %s: %s", from, to, reason)
				}
			}
		}
		check(p.Imports, law)
		check(p.TestImports, lawForTests)
		check(p.XTestImports, lawForTests)
	}
}

// TestLawHasTeeth keeps the articles honest: a law that refuses nothing looks exactly like one that is kept.
func TestLawHasTeeth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to string
		refused  bool
	}{
		{"internal/deals", "internal/contacts", true},
		{"internal/deals/dealshttp", "internal/contacts/internal/contactsdb", true},
		{"internal/deals", "internal/deals/internal/dealsdb", false},
		{"internal/deals", "net/http/httptest", true},
		{"internal/deals", "github.com/go-chi/chi/v5", true},
		{"internal/deals", "web/components", true},
		{"internal/deals/dealshttp", "net/http", false},
		{"internal/messaging/sendgrid", "net/http", false},
		{"internal/deals/dealshttp", "internal/deals/internal/dealsdb", true},
		{"internal/record", "internal/deals", true},
		{"internal/platform/rest", "internal/record", true},
		{"internal/platform/db/migrate", "migrations", false},
		{"internal/platform/cache", "migrations", true},
		{"internal/deals", "internal/app", true},
		{"internal/deals", "internal/app/apptest", false},
		{"cmd/crm", "internal/app", false},
		{"web/components", "internal/deals", true},
	}
	for _, tt := range tests {
		if reason := judge(law, tt.from, tt.to); (reason != "") != tt.refused {
			t.Errorf("%s imports %s: refused = %v (%s), want %v", tt.from, tt.to, !tt.refused, reason, tt.refused)
		}
	}
}

func contextsAreStrangers(from, to string) string {
	a, b := contextOf(from), contextOf(to)
	if a == "" || b == "" || a == b {
		return ""
	}
	return "contexts never import each other; declare a port in " + a + "/ports.go or subscribe to the journal"
}

func rootsKnowNoHTTP(from, to string) string {
	isRoot := contextOf(from) != "" && strings.Count(from, "/") == 1
	if !isRoot || !slices.ContainsFunc(edgesOfHTTP, func(edge string) bool { return within(to, strings.TrimPrefix(edge, "crm/")) }) {
		return ""
	}
	return "a context's rules must not know how they are asked; put it in " + contextOf(from) + "http, an outgoing client in a package of its own"
}

func handlersUseTheService(from, to string) string {
	ctx := contextOf(from)
	if ctx == "" || !within(from, "internal/"+ctx+"/"+ctx+"http") || !within(to, "internal/"+ctx+"/internal/"+ctx+"db") {
		return ""
	}
	return "handlers that query skip permission and visibility; ask the service"
}

func recordKnowsNoContext(from, to string) string {
	if !within(from, "internal/record") || contextOf(to) == "" {
		return ""
	}
	return "the kernel treats all objects alike; let the context hook in"
}

// platformStandsBelow lets the database mechanism read the migrations: they are files and import nothing themselves.
func platformStandsBelow(from, to string) string {
	isOurs := within(to, "internal") || within(to, "web") || within(to, "migrations") || within(to, "cmd")
	if !within(from, "internal/platform") || !isOurs || within(to, "internal/platform") ||
		(to == "migrations" && within(from, "internal/platform/db")) {
		return ""
	}
	return "platform mechanisms know nothing above them; take it as an argument"
}

func nobodyImportsApp(from, to string) string {
	isTestHarness := strings.Contains(to, "apptest") || strings.Contains(from, "apptest")
	if !within(to, "internal/app") || isTestHarness ||
		within(from, "internal/app") || within(from, "cmd") || within(from, "e2e") || within(from, "bench") {
		return ""
	}
	return "the composition root is imported by programs only; what others need from it belongs further down"
}

func filesImportNothing(from, to string) string {
	if (from == "migrations" && within(to, "internal")) || (within(from, "web") && (contextOf(to) != "" || within(to, "internal/app"))) {
		return "migrations and the design system are used by the business, not the other way round"
	}
	return ""
}

func TestPackages(t *testing.T) {
	t.Parallel()
	var mechanisms []string
	for _, p := range listPackages(t) {
		path := strings.TrimPrefix(p.ImportPath, "crm/")
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment: say what it is for, what it promises and what it is not for (doc.go beside generated code)", path)
		}
		parts := strings.Split(path, "/")
		if parts[0] != "internal" || len(parts) < 2 {
			continue
		}
		if !slices.Contains(contexts, parts[1]) && !slices.Contains(foundations, parts[1]) && parts[1] != "apptest" {
			t.Errorf("%s: internal/%s is neither a known context nor a foundation; add it to the law", path, parts[1])
		}
		if parts[1] != "platform" || len(parts) < 3 {
			continue
		}
		mechanisms = append(mechanisms, parts[2])
		if i := slices.IndexFunc(parts[2:], contextNoun.MatchString); i >= 0 {
			t.Errorf("%s: %q is a word of the business; a platform mechanism holds none", path, parts[2+i])
		}
	}
	slices.Sort(mechanisms)
	if mechanisms = slices.Compact(mechanisms); len(mechanisms) > maxMechanisms {
		t.Errorf("platform has %d mechanisms, at most %d: %s; give one to its only user", len(mechanisms), maxMechanisms, strings.Join(mechanisms, " "))
	}
}

func TestMigrationNames(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("migrations")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("read migrations: %v", err)
	}
	owner := map[string]string{}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) != ".sql" {
			continue
		}
		if !migrationName.MatchString(name) {
			t.Errorf("migrations/%s: want <yyyymmddhhmmss>_<context>_<what>.sql; sqlc gives each context only its own tables by this name", name)
		}
		version, _, _ := strings.Cut(name, "_")
		if owner[version] != "" {
			t.Errorf("migrations/%s has the same version as %s; goose refuses that", name, owner[version])
		}
		owner[version] = name
	}
}

// contextOf returns the context a path below the module belongs to, or nothing.
func contextOf(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) > 1 && parts[0] == "internal" && slices.Contains(contexts, parts[1]) {
		return parts[1]
	}
	return ""
}

// within reports whether path is parent or lies below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// listPackages asks the go command; -e keeps a package that does not compile from hiding the others.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Doc,GoFiles,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		packages = append(packages, p)
	}
}
