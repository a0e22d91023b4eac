package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crm/internal/platform/config"
)

func TestEnvironmentOverFileOverDefault(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "crm.toml")
	if err := os.WriteFile(file, []byte("addr = \"0.0.0.0:9000\"\nlog_level = \"warn\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := config.Load([]string{"CRM_LOG_LEVEL=debug", "HOME=/x", "CRM_SECRET_KEY=hush-hush"}, file)
	if err != nil {
		t.Fatal(err)
	}
	if s.Addr != "0.0.0.0:9000" || s.LogLevel != "debug" || s.MetricsAddr != "127.0.0.1:9090" {
		t.Errorf("settings %+v", s)
	}
	if s.URL() != "http://localhost:9000" || s.Secure() {
		t.Errorf("url %s", s.URL())
	}
	var out strings.Builder
	if err := s.Print(&out); err != nil || strings.Contains(out.String(), "hush") {
		t.Errorf("a secret is printed: %s", out.String())
	}
}

func TestUnknownVariableIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := config.Load([]string{"CRM_ADRR=x"}, ""); err == nil || !strings.Contains(err.Error(), "CRM_ADRR") {
		t.Errorf("a misspelt variable: %v", err)
	}
}
