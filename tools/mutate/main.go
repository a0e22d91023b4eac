// Command mutate plants faults, one by one, and wants each to be caught by a test.
//
// A test that has never failed proves little. Each fault takes one check of tenancy or
// permission away; the named tests run against the program with that fault, and must
// fail. A fault that survives fails the run, as does one whose place is not found: then
// the code has moved and the list in faults.go follows.
//
// The tree is not touched. The changed file lies in a temporary folder and is given to
// the compiler in place of the real one (go test -overlay), so that whatever does not
// depend on it comes from the build cache.
//
//	./dev mutate           all faults, some minutes
//	./dev mutate cursor    those with the word in their name
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// run plants the faults whose names contain a word; it is called in the root.
func run(ctx context.Context, words []string, out io.Writer) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	var survived []string
	planted := 0
	for _, f := range faults {
		if !wanted(f, words) {
			continue
		}
		planted++
		began := time.Now()
		caught, err := plant(ctx, root, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		verdict := "caught by " + strings.Join(caught, ", ")
		if len(caught) == 0 {
			verdict = "SURVIVED (" + f.example + ")"
			survived = append(survived, f.name)
		}
		_, _ = fmt.Fprintf(out, "%-38s %4.0f s  %s\n", f.name, time.Since(began).Seconds(), verdict)
	}
	switch {
	case planted == 0:
		return errors.New("no fault has such a name")
	case len(survived) > 0:
		return fmt.Errorf("%d of %d faults survived: %s", len(survived), planted, strings.Join(survived, "; "))
	}
	_, _ = fmt.Fprintf(out, "all %d faults were caught\n", planted)
	return nil
}

func wanted(f fault, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(f.name), strings.ToLower(w)) })
}

// mutated is the file with the fault in it.
func mutated(root string, f fault) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, f.file)) //nolint:gosec // a file of the tree
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(text), f.old); n != 1 {
		return nil, fmt.Errorf("%q stands %d times in %s, not once", f.old, n, f.file)
	}
	return []byte(strings.Replace(string(text), f.old, f.new, 1)), nil
}

// plant runs the tests with the fault and returns those that failed.
func plant(ctx context.Context, root string, f fault) ([]string, error) {
	text, err := mutated(root, f)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "crm-mutate-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	changed := filepath.Join(dir, filepath.Base(f.file))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, f.file): changed}})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(changed, text, 0o600), os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-timeout=10m", "-overlay="+filepath.Join(dir, "overlay.json"), //nolint:gosec // our own list
		"-run=^("+strings.Join(f.tests, "|")+")$", f.pkg)
	cmd.Dir = root
	said, err := cmd.CombinedOutput()
	return judge(string(said), err)
}

var failed = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// judge reads what go test said. A fault that does not compile, or tests that are not
// there, tell nothing about the tests.
func judge(said string, err error) ([]string, error) {
	var caught []string
	for _, m := range failed.FindAllStringSubmatch(said, -1) {
		caught = append(caught, m[1])
	}
	switch {
	case strings.Contains(said, "[no tests to run]"):
		return nil, errors.New("the tests are not there any more")
	case err != nil && len(caught) == 0:
		return nil, fmt.Errorf("the tests did not run: %w\n%s", err, said)
	}
	return caught, nil
}
