package tenantfile

import (
	"time"

	"github.com/google/uuid"
)

// formatVersion grows when an older program could not read the file.
const formatVersion = 1

const (
	manifestName = "manifest.json"
	tenantsTable = "tenants"
)

// Manifest says what is in a file.
type Manifest struct {
	Format   int               `json:"format"`
	Program  string            `json:"program"` // version of the program that wrote it
	Schema   int64             `json:"schema"`  // newest migration of its database
	At       time.Time         `json:"at"`
	TenantID uuid.UUID         `json:"tenant_id"`
	Slug     string            `json:"slug"`
	FirstSeq int64             `json:"first_seq"` // of the journal, 0 = empty
	LastSeq  int64             `json:"last_seq"`
	Tables   []Part            `json:"tables"`
	Left     map[string]string `json:"left_out"` // table or table.column → why
}

// Part is one table of the file.
type Part struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	SHA256  string   `json:"sha256"`
}

// Rows counts all rows of the file.
func (m *Manifest) Rows() int64 {
	var n int64
	for _, p := range m.Tables {
		n += p.Rows
	}
	return n
}

func (m *Manifest) part(table string) (Part, bool) {
	for _, p := range m.Tables {
		if p.Table == table {
			return p, true
		}
	}
	return Part{}, false
}

// Policy is what the program knows about its tables that the catalogue does not.
type Policy struct {
	// Skip names tables, and columns as table.column, that stay behind, and why. A
	// column that stays behind gets its default in the new place.
	Skip map[string]string
	// Fresh are columns whose values are unique among all tenants; a copy beside the
	// original gets new ones.
	Fresh []string
	// Settle are statements run after loading ($1 = tenant): what was under way in the
	// old place must not go on in two.
	Settle []string
}

func partName(table string) string { return "data/" + table + ".ndjson" }
