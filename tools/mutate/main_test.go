package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestFaultsFit: each fault has its place, exactly once, and its tests exist. This is
// part of the check, so that a list nobody can plant is noticed at once.
func TestFaultsFit(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, f := range faults {
		if names[f.name] || f.example == "" || f.old == f.new {
			t.Errorf("%s stands twice, or says too little", f.name)
		}
		names[f.name] = true
		if _, err := mutated(root, f); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		tests := testsOf(t, f.pkg)
		for _, name := range f.tests {
			if !strings.Contains(tests, "\nfunc "+name+"(t *testing.T)") {
				t.Errorf("%s: %s has no %s", f.name, f.pkg, name)
			}
		}
	}
}

func testsOf(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", pkg, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestJudge(t *testing.T) {
	t.Parallel()
	exit := errors.New("exit status 1")
	tests := []struct {
		name, said string
		err        error
		caught     int
		unknown    bool
	}{
		{"caught", "--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b\nFAIL\n", exit, 1, false},
		{"survived", "ok  \tcrm/internal/app\t0.1s\n", nil, 0, false},
		{"does not compile", "FAIL\tcrm/internal/app [build failed]\n", exit, 0, true},
		{"no such test", "ok  \tcrm/internal/app\t0.1s [no tests to run]\n", nil, 0, true},
	}
	for _, tt := range tests {
		caught, err := judge(tt.said, tt.err)
		if len(caught) != tt.caught || (err != nil) != tt.unknown {
			t.Errorf("%s: %v, %v", tt.name, caught, err)
		}
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()
	f := fault{name: "If-Match is not compared"}
	if !wanted(f, nil) || !wanted(f, []string{"if-match"}) || wanted(f, []string{"cursor"}) {
		t.Error("faults are chosen by a word of their name")
	}
}
