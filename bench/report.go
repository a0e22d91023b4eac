package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// runReport is what a run leaves behind.
type runReport struct {
	At      time.Time `json:"at"`
	Commit  string    `json:"commit"`
	Changed bool      `json:"changed"` // the tree had changes that are in no commit
	Machine machine   `json:"machine"`
	Rows    int       `json:"rows"`
	Rounds  int       `json:"rounds"`
	Quick   bool      `json:"quick"`
	Figures []figure  `json:"figures"`

	dir     string
	partial bool
}

// machine says what the figures were measured on, without naming it.
type machine struct {
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryGB float64 `json:"memory_gb"`
	Kernel   string  `json:"kernel"`
	Go       string  `json:"go"`
	Postgres string  `json:"postgres"`
	Load     string  `json:"load"` // 1, 5 and 15 minutes, before the run
}

func newReport(ctx context.Context, root string, opt options) (*runReport, error) {
	r := &runReport{
		At: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(ctx), Rows: opt.rows, Rounds: opt.rounds, Quick: opt.quick,
		dir: filepath.Join(root, "bench", "results"), partial: opt.partial(),
	}
	r.Commit = said(ctx, root, "git", "rev-parse", "--short=12", "HEAD")
	r.Changed = said(ctx, root, "git", "status", "--porcelain", "--untracked-files=no") != ""
	return r, os.MkdirAll(r.dir, 0o755) //nolint:gosec // results are for everybody
}

// said is a program's answer, or nothing when it is not there.
func said(ctx context.Context, dir, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func thisMachine(ctx context.Context) machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: "unknown"}
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(raw), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			m.CPU = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		m.MemoryGB = round(float64(info.Totalram) * float64(info.Unit) / 1e9)
	}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(raw))[:3], " ")
	}
	if raw, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(raw))
	}
	m.Postgres = said(ctx, ".", "sh", "-c", "ls /usr/lib/postgresql 2>/dev/null | sort -n | tail -1")
	return m
}

// add prints figures as they come and keeps them.
func (r *runReport) add(out io.Writer, figures []figure) {
	for _, f := range figures {
		fmt.Fprintln(out, f)
	}
	r.Figures = append(r.Figures, figures...)
}

// write keeps a full run for good, and a partial one where git does not see it.
func (r *runReport) write() error {
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	name := filepath.Join(r.dir, r.At.Format("20060102T150405Z")+".json")
	if r.partial {
		return os.WriteFile(name+".tmp", append(raw, '\n'), 0o600)
	}
	if err := os.WriteFile(name, append(raw, '\n'), 0o644); err != nil { //nolint:gosec // results are for everybody
		return fmt.Errorf("write results: %w", err)
	}
	return os.WriteFile(filepath.Join(r.dir, "latest.md"), []byte(r.table()), 0o644) //nolint:gosec // results are for everybody
}

// table is the run for people.
func (r *runReport) table() string {
	var b strings.Builder
	m := r.Machine
	changed := ""
	if r.Changed {
		changed = " with uncommitted changes"
	}
	fmt.Fprintf(&b, "# Benchmarks of %s\n\nCommit %s%s, %d contacts, %d rounds. %s, %d cores, %g GB, Linux %s, %s, PostgreSQL %s; load before: %s.\n\n",
		r.At.Format("2 January 2006 15:04 UTC"), r.Commit, changed, r.Rows, r.Rounds, m.CPU, m.Cores, m.MemoryGB, m.Kernel, m.Go, m.Postgres, m.Load)
	b.WriteString("Medians of interleaved rounds; ratio = ours / peer, median of the rounds' own ratios. What each figure and peer is:\n[doc comments in bench](../).\n\n")
	b.WriteString("| figure | value | unit | spread | peer, ratio |\n| --- | ---: | --- | --- | --- |\n")
	for _, f := range r.Figures {
		if f.Absent != "" {
			fmt.Fprintf(&b, "| %s | absent | | | %s |\n", f.Name, strings.ReplaceAll(f.Absent, "|", "/"))
			continue
		}
		spread := ""
		if f.Low != f.High {
			spread = number(f.Low) + " to " + number(f.High)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Name, number(f.Value), f.Unit, spread, f.beside())
	}
	return b.String()
}
