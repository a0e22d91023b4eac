package embedpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// minMajor is the oldest server we speak to: MERGE, NULLS NOT DISTINCT and security_invoker views came with 15.
const minMajor = 15

// debianBins is where Debian and Ubuntu keep the servers; initdb and postgres are not in PATH there.
const debianBins = "/usr/lib/postgresql/*/bin"

// binaries is a directory that holds one PostgreSQL's initdb and postgres.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

// findBinaries chooses the server to run. dataMajor is the version that wrote the existing cluster, 0 for none:
// data can only be opened by its own major, a new cluster takes the newest found.
func findBinaries(ctx context.Context, binDir string, dataMajor int) (binaries, error) {
	found := inspect(ctx, candidates(binDir))
	best := binaries{}
	for _, b := range found {
		if b.major == dataMajor {
			return b, nil
		}
		if b.major > best.major {
			best = b
		}
	}
	switch {
	case len(found) == 0:
		return best, noBinaries(binDir)
	case dataMajor != 0:
		return best, wrongMajor(dataMajor, found)
	case best.major < minMajor:
		return best, &Problem{
			Kind: ErrVersion,
			What: fmt.Sprintf("PostgreSQL %d is too old, %d or newer is needed", best.major, minMajor),
			Next: "install a newer one, on a current Debian or Ubuntu with: " + InstallHint,
		}
	}
	return best, nil
}

// candidates lists directories in order of preference. A directory given explicitly is the only one: silently
// running another server than the one asked for would surprise.
func candidates(binDir string) []string {
	if binDir != "" {
		return []string{binDir}
	}
	dirs, _ := filepath.Glob(debianBins) // the pattern is constant, so it is not malformed
	if p, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	return dirs
}

// inspect asks each server its version and leaves out what cannot answer or lacks initdb.
func inspect(ctx context.Context, dirs []string) []binaries {
	var found []binaries
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
		if err != nil {
			continue
		}
		if major := parseMajor(string(out)); major > 0 {
			found = append(found, binaries{dir: dir, major: major})
		}
	}
	return found
}

// parseMajor reads "postgres (PostgreSQL) 15.18 (Debian ...)" and also "18devel" or "19beta1"; 0 if it is neither.
func parseMajor(version string) int {
	_, rest, ok := strings.Cut(version, ") ")
	if !ok {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	major, err := strconv.Atoi(rest[:end])
	if err != nil {
		return 0
	}
	return major
}

func noBinaries(binDir string) error {
	if binDir != "" {
		return &Problem{
			Kind: ErrNoBinaries,
			What: "there is no working PostgreSQL server (postgres and initdb) in " + binDir,
			Next: "correct that directory, or install postgresql with: " + InstallHint,
		}
	}
	return &Problem{
		Kind: ErrNoBinaries,
		What: "no PostgreSQL server was found on this machine",
		Next: "install postgresql with: " + InstallHint + " (or set CRM_DATABASE_URL to a server you run yourself)",
	}
}

func wrongMajor(dataMajor int, found []binaries) error {
	have := make([]string, len(found))
	for i, b := range found {
		have[i] = strconv.Itoa(b.major)
	}
	return &Problem{
		Kind: ErrVersion,
		What: fmt.Sprintf("the database files were written by PostgreSQL %d, but this machine has PostgreSQL %s",
			dataMajor, strings.Join(have, ", ")),
		Next: fmt.Sprintf("install postgresql-%d beside it, make a backup with it (crm backup), and restore that into a new data directory", dataMajor),
	}
}
