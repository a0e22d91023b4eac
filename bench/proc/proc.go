// Package proc reads what processes cost from /proc (Linux): CPU time and memory of a process and everything it started.
//
// CPU time is what makes figures comparable on a machine that does other work: a disturbed run takes longer, but needs
// about as many CPU-seconds. A process's own time is utime+stime; cutime+cstime hold those of children that ended and
// were waited for, so a tree's total is the four of every living member, and no child is counted twice.
//
// Units: CPU in time.Duration at the kernel's granularity of 10 ms, memory in bytes. Not for short intervals: below
// half a second of CPU the granularity shows.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc on every Linux that Go runs on (USER_HZ).
const tick = 10 * time.Millisecond

// Stat is the part of /proc/<pid>/stat that is used here.
type Stat struct {
	PID    int
	Name   string
	Parent int
	CPU    time.Duration // own time and that of children that were waited for
}

// ParseStat reads one line of /proc/<pid>/stat. The name may hold spaces and brackets, so fields are counted from the
// last bracket.
func ParseStat(line []byte) (Stat, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return Stat{}, fmt.Errorf("parse process status: no name in %.60q", line)
	}
	fields := strings.Fields(string(line[end+1:]))
	if len(fields) < 15 {
		return Stat{}, fmt.Errorf("parse process status: %d fields after the name", len(fields))
	}
	s := Stat{Name: string(line[open+1 : end])}
	var err error
	if s.PID, err = strconv.Atoi(strings.TrimSpace(string(line[:open]))); err != nil {
		return Stat{}, fmt.Errorf("parse process id: %w", err)
	}
	if s.Parent, err = strconv.Atoi(fields[1]); err != nil {
		return Stat{}, fmt.Errorf("parse parent process id: %w", err)
	}
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return Stat{}, fmt.Errorf("parse cpu time: %w", err)
		}
		s.CPU += time.Duration(n) * tick
	}
	return s, nil
}

// Snapshot is every process at one moment, by id.
type Snapshot map[int]Stat

// Now reads all processes. One that ends meanwhile is left out.
func Now() (Snapshot, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	out := make(Snapshot, len(paths))
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		s, err := ParseStat(line)
		if err != nil {
			return nil, err
		}
		out[s.PID] = s
	}
	return out, nil
}

// Tree lists a process and all its descendants.
func (s Snapshot) Tree(root int) []Stat {
	var out []Stat
	for pid := range s {
		if s.descends(pid, root) {
			out = append(out, s[pid])
		}
	}
	return out
}

func (s Snapshot) descends(pid, root int) bool {
	for range len(s) {
		if pid == root {
			return true
		}
		p, ok := s[pid]
		if !ok || p.Parent == 0 {
			return false
		}
		pid = p.Parent
	}
	return false
}

// CPU is the time used by the trees below several roots; a process below two of them counts once.
func (s Snapshot) CPU(roots ...int) time.Duration {
	var sum time.Duration
	for pid, p := range s {
		for _, root := range roots {
			if s.descends(pid, root) {
				sum += p.CPU
				break
			}
		}
	}
	return sum
}

// Child finds a child of a process by the beginning of its name; 0 when there is none.
func (s Snapshot) Child(parent int, name string) int {
	for pid, p := range s {
		if p.Parent == parent && strings.HasPrefix(p.Name, name) {
			return pid
		}
	}
	return 0
}

// PSS is a process's memory with shared pages divided among those who share them, so that the sum over PostgreSQL's
// processes does not count their shared buffers once each. It is 0 for a process that has ended.
func PSS(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	return field(raw, "Pss:")
}

// RSS is a process's resident memory.
func RSS(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	return field(raw, "VmRSS:")
}

// field finds a line such as "VmRSS:	  1234 kB".
func field(raw []byte, name string) (int64, error) {
	for line := range strings.Lines(string(raw)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("parse %s: %w", name, err)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("parse memory: there is no line %s", name)
}
