package embedpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// roles that log in through the socket; crm_search is deliberately not among them.
var loginRoles = [...]string{superuser, ownerRole, appRole}

const (
	superuser = "postgres"
	ownerRole = "crm_owner"
	appRole   = "crm_app"
)

type setting struct{ name, value string }

// settings is the server's configuration: modest memory for an installation of one program, durable unless unsafe.
func settings(socketDir, home string, unsafe bool) []setting {
	base := []setting{
		{"listen_addresses", ""},
		{"port", fmt.Sprint(socketPort)},
		{"unix_socket_directories", `"` + strings.ReplaceAll(socketDir, `"`, `""`) + `"`},
		{"unix_socket_permissions", "0700"},
		{"hba_file", filepath.Join(home, "pg_hba.conf")},
		{"ident_file", filepath.Join(home, "pg_ident.conf")},
		{"timezone", "UTC"},
		{"log_timezone", "UTC"},
		// The server's messages go through our log. Failed statements come back to the program as errors anyway, and
		// their text holds people's data, so they are left out here.
		{"log_min_messages", "log"},
		{"log_min_error_statement", "panic"},
		{"log_line_prefix", ""},
		{"log_checkpoints", "off"},
		{"logging_collector", "off"},
		{"jit", "off"}, // compiling costs more than our short queries take
		{"random_page_cost", "1.1"},
		{"effective_cache_size", "1GB"},
		{"work_mem", "8MB"},
		{"maintenance_work_mem", "64MB"},
		{"client_connection_check_interval", "10s"}, // stop working for a client that has gone
	}
	if unsafe {
		return append(base, unsafeSettings()...)
	}
	return append(base, durableSettings()...)
}

func durableSettings() []setting {
	return []setting{
		{"shared_buffers", "128MB"},
		{"max_connections", "100"},
		{"fsync", "on"},
		{"synchronous_commit", "on"},
		{"full_page_writes", "on"},
		{"wal_level", "replica"}, // so that pg_basebackup and a later replica need no restart
		{"max_wal_senders", "4"},
		{"wal_compression", "on"},
		{"min_wal_size", "80MB"},
		{"max_wal_size", "1GB"},
		{"checkpoint_timeout", "15min"},
		{"autovacuum_max_workers", "2"},
	}
}

// unsafeSettings is for tests: a crash of the machine destroys the cluster, a crash of the server does not.
func unsafeSettings() []setting {
	return []setting{
		{"shared_buffers", "64MB"},
		{"max_connections", "400"},
		{"fsync", "off"},
		{"synchronous_commit", "off"},
		{"full_page_writes", "off"},
		{"wal_level", "minimal"},
		{"max_wal_senders", "0"},
		{"max_wal_size", "1GB"},
		{"checkpoint_timeout", "1h"},
		{"autovacuum", "off"}, // its workers would keep template databases busy
	}
}

// hba lets local processes in by their operating-system user only.
const hba = "local all all peer map=crm\nlocal replication " + superuser + " peer map=crm\n"

// ident maps each trusted operating-system user to each role. The same line twice is harmless.
func ident(users ...string) string {
	var b strings.Builder
	for _, u := range users {
		for _, role := range loginRoles {
			fmt.Fprintf(&b, "crm %q %s\n", u, role)
		}
	}
	return b.String()
}

// writeSettings puts the three files into home, readable for the server's user.
func writeSettings(l layout, socketDir string, me, srv account, unsafe bool) error {
	var conf strings.Builder
	conf.WriteString("# Written at every start. Your own changes belong into data/postgresql.auto.conf (alter system).\n")
	for _, s := range settings(socketDir, l.home, unsafe) {
		fmt.Fprintf(&conf, "%s = %s\n", s.name, quoteSetting(s.value))
	}
	files := map[string]string{
		"postgresql.conf": conf.String(),
		"pg_hba.conf":     hba,
		"pg_ident.conf":   ident("root", me.name, srv.name),
	}
	for name, text := range files {
		path := filepath.Join(l.home, name)
		if err := l.writeChanged(path, text, me); err != nil {
			return refusedDir(path, me, err)
		}
	}
	return nil
}

// writeChanged leaves an equal file alone, and replaces another whole: a full disk loses neither, and a link in its place
// leads root nowhere.
func (l layout) writeChanged(path, text string, me account) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	f, err := os.CreateTemp(l.home, "new-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close()) // the server's user must read it
	if err == nil {
		err = errors.Join(l.keep(f.Name(), me), os.Rename(f.Name(), path))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func quoteSetting(v string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(v) + "'"
}
