package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const rest = " S 41 42 42 0 -1 4194304 101 0 0 0 120 30 5 7 20 0 1 0 476954 3133440 408"
	for _, name := range []string{"cat", "postgres: crm_app crm [local] idle", "a) b (c"} {
		got, err := ParseStat([]byte("43 (" + name + ")" + rest))
		if err != nil {
			t.Fatal(err)
		}
		want := Stat{PID: 43, Name: name, Parent: 41, CPU: 1620 * time.Millisecond}
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestParseStatRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "12 cat S 1", "12 (cat) S 1 2", "x (cat) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14", "1 (cat) S 1 2 3 4 5 6 7 8 9 a b c d e"} {
		if s, err := ParseStat([]byte(line)); err == nil {
			t.Errorf("%q is read as %+v", line, s)
		}
	}
}

func TestTreeCountsEachProcessOnce(t *testing.T) {
	t.Parallel()
	s := Snapshot{
		1: {PID: 1, Name: "init", CPU: time.Hour}, 10: {PID: 10, Parent: 1, Name: "crm", CPU: 1}, 11: {PID: 11, Parent: 10, Name: "postgres", CPU: 2},
		12: {PID: 12, Parent: 11, Name: "postgres", CPU: 4}, 20: {PID: 20, Parent: 1, Name: "floor", CPU: 8},
	}
	for _, tt := range []struct {
		roots []int
		want  time.Duration
	}{{[]int{10}, 7}, {[]int{11}, 6}, {[]int{20, 11}, 14}, {[]int{10, 11}, 7}, {[]int{99}, 0}} {
		if got := s.CPU(tt.roots...); got != tt.want {
			t.Errorf("CPU(%v) = %d, want %d", tt.roots, got, tt.want)
		}
	}
	if n := len(s.Tree(10)); n != 3 {
		t.Errorf("%d processes below 10", n)
	}
	if pid := s.Child(10, "post"); pid != 11 {
		t.Errorf("child %d", pid)
	}
}

func TestNowSeesChildren(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), "cat")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	s, err := Now()
	if err != nil {
		t.Fatal(err)
	}
	if got := s[child.Process.Pid].Parent; got != os.Getpid() {
		t.Errorf("parent of the child: %d", got)
	}
	if len(s.Tree(os.Getpid())) < 2 {
		t.Error("the child is not in the tree")
	}
	_ = in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	rss, err := RSS(os.Getpid())
	if err != nil || rss < 1<<20 {
		t.Errorf("rss %d: %v", rss, err)
	}
	pss, err := PSS(os.Getpid())
	if err != nil || pss < 1<<20 || pss > rss*2 {
		t.Errorf("pss %d of rss %d: %v", pss, rss, err)
	}
	if n, err := field([]byte("VmHWM:\t 9 kB\nVmRSS:\t   1234 kB\n"), "VmRSS:"); err != nil || n != 1234<<10 {
		t.Errorf("field: %d %v", n, err)
	}
	if _, err := field([]byte("x"), "VmRSS:"); err == nil {
		t.Error("an absent line is read")
	}
}
