// Package config reads the program's settings: environment first, crm.toml below
// it, defaults last. Flags of a command override by setting the fields. An
// unknown CRM_ variable is an error, because a misspelt setting that is silently
// ignored costs a night.
//
// Secrets are marked and never printed; see Settings.Print.
package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Settings are the effective values. Field comments are in the table below.
type Settings struct {
	Addr               string
	BaseURL            string
	DataDir            string
	DatabaseURL        string
	MigrateDatabaseURL string
	RedisURL           string
	CacheMB            string
	SecretKey          string
	ONNXRuntimeLib     string
	ScoringDevice      string
	BlobURL            string
	SMTPURL            string
	MetricsAddr        string
	TrustedProxies     string
	EgressAllow        string
	LogLevel           string
	LogFormat          string
	PostgresBin        string
	APIRate            string
	Drain              string
}

// setting ties a variable to its field. The order is the order of printing.
type setting struct {
	name   string
	value  func(*Settings) *string
	def    string
	secret bool
	help   string
}

var table = []setting{
	{"CRM_ADDR", func(s *Settings) *string { return &s.Addr }, "127.0.0.1:8080", false, "listen address"},
	{"CRM_BASE_URL", func(s *Settings) *string { return &s.BaseURL }, "", false, "public URL in links and mails; from the address when empty"},
	{"CRM_DATA_DIR", func(s *Settings) *string { return &s.DataDir }, "", false, "embedded cluster, files, models, generated secret"},
	{"CRM_DATABASE_URL", func(s *Settings) *string { return &s.DatabaseURL }, "", true, "application role; empty = embedded PostgreSQL"},
	{"CRM_MIGRATE_DATABASE_URL", func(s *Settings) *string { return &s.MigrateDatabaseURL }, "", true, "owner role, for crm migrate"},
	{"CRM_REDIS_URL", func(s *Settings) *string { return &s.RedisURL }, "", true, "shared cache; empty = in-process only"},
	{"CRM_CACHE_MB", func(s *Settings) *string { return &s.CacheMB }, "64", false, "memory for cached records in each process; 0 = none"},
	{"CRM_SECRET_KEY", func(s *Settings) *string { return &s.SecretKey }, "", true, "root of encryption; a comma list allows rotation; generated when embedded"},
	{"CRM_ONNXRUNTIME_LIB", func(s *Settings) *string { return &s.ONNXRuntimeLib }, "", false, "ONNX Runtime shared library; searched for when empty"},
	{"CRM_SCORING_DEVICE", func(s *Settings) *string { return &s.ScoringDevice }, "auto", false, "auto, cpu or cuda"},
	{"CRM_BLOB_URL", func(s *Settings) *string { return &s.BlobURL }, "", false, "file store; <data dir>/files when empty"},
	{"CRM_SMTP_URL", func(s *Settings) *string { return &s.SMTPURL }, "", true, "the product's own mail: smtp://user:password@host:587?from=crm@company.com (smtps:// for port 465); empty = admins hand links over"},
	{"CRM_METRICS_ADDR", func(s *Settings) *string { return &s.MetricsAddr }, "127.0.0.1:9090", false, "Prometheus metrics; - switches them off"},
	{"CRM_TRUSTED_PROXIES", func(s *Settings) *string { return &s.TrustedProxies }, "", false, "CIDR list of proxies whose X-Forwarded-For counts"},
	{"CRM_EGRESS_ALLOW", func(s *Settings) *string { return &s.EgressAllow }, "", false, "host or CIDR list that may be reached although private"},
	{"CRM_LOG_LEVEL", func(s *Settings) *string { return &s.LogLevel }, "info", false, "debug, info, warn or error"},
	{"CRM_LOG_FORMAT", func(s *Settings) *string { return &s.LogFormat }, "", false, "text or json; text on a terminal when empty"},
	{"CRM_API_RATE", func(s *Settings) *string { return &s.APIRate }, "", false, "API requests a minute, such as key=6000,tenant=60000"},
	{"CRM_DRAIN", func(s *Settings) *string { return &s.Drain }, "0s", false, "time between not ready and closed when told to end, such as 5s behind a load balancer"},
	{"CRM_POSTGRES_BIN", func(s *Settings) *string { return &s.PostgresBin }, "", false, "directory of the PostgreSQL server programs, for the embedded cluster"},
}

// ignored are CRM_ variables of our own tests and scripts.
var ignored = []string{"CRM_TEST_DATA", "CRM_BENCH_"}

// Load reads environment (as from os.Environ) and, when it exists, the file.
func Load(environ []string, file string) (*Settings, error) {
	values, err := readFile(file)
	if err != nil {
		return nil, err
	}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "CRM_") {
			values[name] = value
		}
	}
	s := &Settings{}
	for _, t := range table {
		v, ok := values[t.name]
		delete(values, t.name)
		if !ok || v == "" {
			v = t.def
		}
		*t.value(s) = v
	}
	for name := range values {
		if !slices.ContainsFunc(ignored, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return nil, fmt.Errorf("%s is not a setting; list them with: crm config", name)
		}
	}
	if s.DataDir == "" {
		s.DataDir = defaultDataDir()
	}
	s.DataDir, err = filepath.Abs(s.DataDir)
	return s, err
}

// CacheBytes is CRM_CACHE_MB in bytes.
func (s *Settings) CacheBytes() (uint64, error) {
	mb, err := strconv.ParseUint(s.CacheMB, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("CRM_CACHE_MB is a whole number of megabytes like 64, not %q", s.CacheMB)
	}
	return mb << 20, nil
}

// maxDrain leaves room for the requests in flight before a service manager loses patience.
const maxDrain = time.Minute

// DrainTime is CRM_DRAIN.
func (s *Settings) DrainTime() (time.Duration, error) {
	d, err := time.ParseDuration(s.Drain)
	if err != nil || d < 0 || d > maxDrain {
		return 0, fmt.Errorf("CRM_DRAIN is a time like 5s, at most %s, not %q", maxDrain, s.Drain)
	}
	return d, nil
}

// readFile reads crm.toml, whose keys are the variables without CRM_ in lower
// case; a missing file is an empty one.
func readFile(file string) (map[string]string, error) {
	values := map[string]string{}
	raw, err := os.ReadFile(file)
	if os.IsNotExist(err) || file == "" {
		return values, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var m map[string]string
	if err := toml.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("read %s: every setting is a line like addr = \"127.0.0.1:8080\": %w", file, err)
	}
	for k, v := range m {
		values["CRM_"+strings.ToUpper(k)] = v
	}
	return values, nil
}

// defaultDataDir is ./data, except for root below a directory that the
// database's own user could not enter, such as root's home.
func defaultDataDir() string {
	wd, err := os.Getwd()
	if err != nil || os.Geteuid() != 0 {
		return "data"
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm()&0o001 == 0 {
			return "/var/lib/crm"
		}
		if dir == filepath.Dir(dir) {
			return "data"
		}
	}
}

// URL is the public address without a trailing slash.
func (s *Settings) URL() string {
	if s.BaseURL != "" {
		return strings.TrimRight(s.BaseURL, "/")
	}
	host, port, _ := strings.Cut(s.Addr, ":")
	if host == "" || host == "0.0.0.0" {
		host = "localhost"
	}
	return "http://" + host + ":" + port
}

// Secure reports whether people reach us over TLS.
func (s *Settings) Secure() bool { return strings.HasPrefix(s.URL(), "https://") }

// Embedded reports whether we run PostgreSQL ourselves.
func (s *Settings) Embedded() bool { return s.DatabaseURL == "" }

// List splits a comma or space separated setting.
func List(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// Print writes the effective values, secrets masked.
func (s *Settings) Print(w io.Writer) error {
	for _, t := range table {
		v := *t.value(s)
		if t.secret && v != "" {
			v = "********"
		}
		if _, err := fmt.Fprintf(w, "%-26s %-32s # %s\n", t.name, v, t.help); err != nil {
			return err
		}
	}
	return nil
}
