package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"crm/migrations"
)

// Schema is where River lives, outside row level security.
const Schema = "river"

// Sets of steps, see Step.Set.
const (
	setCRM   = "crm"
	setRiver = "river"
)

// Step is one migration as seen from this binary and the database together.
type Step struct {
	Set       string    `json:"set"`     // "crm" or "river"
	Version   int64     `json:"version"` // timestamp as a number, or River's counter
	Name      string    `json:"name"`    // file name, empty if unknown to this binary
	Applied   bool      `json:"applied"`
	AppliedAt time.Time `json:"applied_at,omitzero"` // UTC, zero if pending
}

// Known tells whether this binary has the step.
func (s Step) Known() bool { return s.Name != "" }

// Querier is the reading half of a pgx pool, connection or transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// source is the steps a binary carries: a field rather than a global so that tests can stand for other releases.
type source struct{ files fs.FS }

func embedded() source { return source{files: migrations.FS} }

// Fingerprint names the state that Up leads to; it changes with any step. For caching migrated databases.
func Fingerprint() (string, error) {
	sum := sha256.New()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return "", fmt.Errorf("list migrations: %w", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			return "", fmt.Errorf("read migration %s: %w", name, err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
	}
	queue, err := riverSteps()
	if err != nil {
		return "", err
	}
	for _, m := range queue {
		fmt.Fprintf(sum, "river %d %s", m.Version, m.SQLUp)
	}
	fmt.Fprint(sum, riverGrants)
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// Status lists all steps of both sets in order, applied or not, also those only the database knows.
func Status(ctx context.Context, ownerURL string) ([]Step, error) {
	conn, err := connect(ctx, ownerURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return embedded().status(ctx, conn)
}

// Pending counts the steps of this binary that the database lacks. It is one cheap query per set and may be asked as
// crm_app. A database with steps unknown to this binary gives ErrNewer.
func Pending(ctx context.Context, db Querier) (int, error) {
	steps, err := embedded().status(ctx, db)
	if err != nil {
		return 0, err
	}
	return len(pendingOf(steps)), refuseUnknown(steps)
}

func pendingOf(steps []Step) []Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return s.Applied })
}

func (src source) status(ctx context.Context, db Querier) ([]Step, error) {
	ours, err := src.ownSteps()
	if err != nil {
		return nil, err
	}
	ours, err = markApplied(ctx, db, ours, setCRM,
		"select version_id, max(tstamp) from public.goose_db_version where is_applied and version_id > 0 group by version_id")
	if err != nil {
		return nil, err
	}
	var queue []Step
	known, err := riverSteps()
	if err != nil {
		return nil, err
	}
	for _, m := range known {
		queue = append(queue, Step{Set: setRiver, Version: int64(m.Version), Name: m.Name})
	}
	// River's first steps know no lines yet; who is killed among them must be able to go on.
	queue, err = markApplied(ctx, db, queue, setRiver,
		"select version, created_at::timestamp from river.river_migration as m where coalesce(to_jsonb(m) ->> 'line', 'main') = 'main'")
	return append(ours, queue...), err
}

// ownSteps reads the versions from the file names.
func (src source) ownSteps() ([]Step, error) {
	names, err := fs.Glob(src.files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	steps := make([]Step, 0, len(names))
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("name of migration %s: %w", name, err)
		}
		steps = append(steps, Step{Set: setCRM, Version: version, Name: name})
	}
	return steps, nil
}

func riverSteps() ([]rivermigrate.Migration, error) {
	m, err := rivermigrate.New(riverpgxv5.New(nil), &rivermigrate.Config{Schema: Schema})
	if err != nil {
		return nil, fmt.Errorf("load river's migrations: %w", err)
	}
	return m.AllVersions(), nil
}

// markApplied joins what the binary has with what the database recorded.
func markApplied(ctx context.Context, db Querier, steps []Step, set, query string) ([]Step, error) {
	applied, err := versions(ctx, db, query)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s migrations: %w", set, err)
	}
	for i, s := range steps {
		if at, ok := applied[s.Version]; ok {
			steps[i].Applied, steps[i].AppliedAt = true, at
			delete(applied, s.Version)
		}
	}
	for version, at := range applied {
		steps = append(steps, Step{Set: set, Version: version, Applied: true, AppliedAt: at})
	}
	slices.SortFunc(steps, func(a, b Step) int { return int(min(max(a.Version-b.Version, -1), 1)) })
	return steps, nil
}

// versions treats a missing table as an empty history: that is a database nobody has migrated yet.
func versions(ctx context.Context, db Querier, query string) (map[int64]time.Time, error) {
	rows, err := db.Query(ctx, query)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	defer rows.Close()
	applied := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		applied[version] = at.UTC()
	}
	return applied, ignoreMissing(rows.Err())
}

func ignoreMissing(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000") { // undefined_table, invalid_schema_name
		return nil
	}
	return err
}
