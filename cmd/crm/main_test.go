package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crm/internal/app"
)

// settings point away from every database: whatever tries to open one fails at
// once instead of starting a cluster.
func settings(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{
		"CRM_DATABASE_URL=postgres://crm_app:hush-hush@127.0.0.1:1/crm?connect_timeout=1", "CRM_DATA_DIR=" + t.TempDir(), "CRM_METRICS_ADDR=-", "PATH=/nowhere",
	}, more...)
}

func crm(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut strings.Builder
	code = run(t.Context(), args, environ, &out, &errOut)
	return code, out.String(), errOut.String()
}

// sentence checks that stderr is one plain line for people.
func sentence(t *testing.T, stderr string, words ...string) {
	t.Helper()
	if !strings.HasPrefix(stderr, "crm: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("not one sentence: %q", stderr)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			t.Errorf("%q does not say %q", stderr, w)
		}
	}
}

func TestVersionIsPrinted(t *testing.T) {
	t.Parallel()
	if code, out, errOut := crm(t, settings(t), "version"); code != 0 || out != "crm "+app.Version+"\n" || errOut != "" {
		t.Errorf("%d %q %q", code, out, errOut)
	}
}

func TestHelpListsTheCommands(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {}} {
		code, out, errOut := crm(t, settings(t), args...)
		if code != 0 || errOut != "" {
			t.Errorf("%v: %d %q", args, code, errOut)
		}
		for _, command := range []string{
			"serve", "migrate up", "migrate down", "migrate status", "migrate verify", "tenant create", "tenant list", "tenant suspend", "tenant delete",
			"user create", "user list", "user disable", "user enable", "user invite", "user reset-password", "apikey create", "import", "demo", "doctor", "openapi", "config", "version",
		} {
			if !strings.Contains(out, "\n  "+command) {
				t.Errorf("%v does not list %s", args, command)
			}
		}
	}
}

func TestHelpOfACommandShowsExamples(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"serve", "tenant", "user", "apikey", "import", "demo"} {
		if code, out, _ := crm(t, settings(t), command, "--help"); code != 0 || !strings.Contains(out, "Example") {
			t.Errorf("crm %s --help: %d %q", command, code, out)
		}
	}
}

func TestWrongUsageExitsWithTwo(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "crm.toml")
	if err := os.WriteFile(broken, []byte("addr = 8080 [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		environ []string
		args    []string
		says    string
	}{
		{"unknown command", nil, []string{"sevre"}, "sevre"},
		{"unknown flag", nil, []string{"version", "--loud"}, "--loud"},
		{"no subcommand", nil, []string{"tenant"}, "crm --help"},
		{"missing flag", nil, []string{"tenant", "create"}, "--name"},
		{"missing argument", nil, []string{"tenant", "suspend"}, "name"},
		{"value outside its list", nil, []string{"serve", "--role", "nobody"}, "--role"},
		{"unknown variable", []string{"CRM_ADRR=:80"}, []string{"version"}, "CRM_ADRR"},
		{"unknown level", []string{"CRM_LOG_LEVEL=loud"}, []string{"version"}, "CRM_LOG_LEVEL"},
		{"broken settings file", nil, []string{"version", "--config-file", broken}, "crm.toml"},
		{"delete without --yes", nil, []string{"tenant", "delete", "alpha"}, "--yes"},
	}
	for _, tt := range tests {
		code, out, errOut := crm(t, settings(t, tt.environ...), tt.args...)
		if code != 2 || out != "" {
			t.Errorf("%s: exit %d, printed %q", tt.name, code, out)
		}
		sentence(t, errOut, tt.says)
	}
}

func TestFailureExitsWithOneAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		says string
	}{
		{[]string{"migrate", "up"}, "CRM_MIGRATE_DATABASE_URL"},
		{[]string{"tenant", "list"}, "CRM_DATABASE_URL"},
		{[]string{"serve", "--role", "web"}, "CRM_DATABASE_URL"},
	}
	for _, tt := range tests {
		code, out, errOut := crm(t, settings(t), tt.args...)
		if code != 1 || out != "" {
			t.Errorf("%v: exit %d, printed %q", tt.args, code, out)
		}
		sentence(t, errOut, tt.says)
		if strings.Contains(errOut, "hush-hush") {
			t.Errorf("%v shows the password: %s", tt.args, errOut)
		}
	}
}

func TestConfigMasksSecretsAndReadsFileAndEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "crm.toml")
	if err := os.WriteFile(file, []byte("addr = \"127.0.0.1:9999\"\nlog_level = \"error\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := crm(t, settings(t, "CRM_LOG_LEVEL=warn", "CRM_SECRET_KEY=hush-hush"), "config", "--config-file", file)
	if code != 0 || errOut != "" || strings.Contains(out, "hush") {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	for _, want := range []string{"127.0.0.1:9999", "warn", "********"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in %s", want, out)
		}
	}
}
