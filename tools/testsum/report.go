package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// slowestShown is how many packages the closing table names.
const slowestShown = 8

// event is one line of `go test -json`; see `go doc test2json`. Build output carries ImportPath instead of Package.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64 // seconds
}

// testKey names a test; an empty test stands for the package itself.
type testKey struct{ pkg, test string }

type packageTime struct {
	pkg     string
	seconds float64
}

// report gathers events and prints as soon as something is worth saying.
type report struct {
	out     io.Writer
	verbose bool

	pending map[testKey][]string // output of tests that have not ended yet
	tested  []packageTime
	skipped []string
	passed  int
	failed  int // tests
	broken  int // packages: a failed test, a panic, a build error
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{out: out, verbose: verbose, pending: map[testKey][]string{}}
}

// read consumes events until go test closes the stream. A line that is not an event (a test program writing past the
// testing package) is printed as it is.
func (r *report) read(stream io.Reader) error {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test output: %w", err)
		}
	}
}

func (r *report) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprint(r.out, line)
		return
	}
	key := testKey{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output(key, e.Output)
	case "pass", "fail", "skip":
		r.end(key, e)
	}
}

func (r *report) output(key testKey, text string) {
	if r.verbose {
		fmt.Fprint(r.out, text)
	}
	r.pending[key] = append(r.pending[key], text)
}

// end settles one test or, with an empty test name, one package.
func (r *report) end(key testKey, e event) {
	lines := r.pending[key]
	delete(r.pending, key)
	if key.test == "" {
		r.endPackage(key.pkg, lines, e)
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped = append(r.skipped, key.pkg+" "+key.test+skipReason(lines))
	case "fail":
		r.failed++
		r.print(lines)
	}
}

// endPackage prints the package's closing line; a failed package also gets what its unfinished tests had said, which
// is where a panic, a timeout or os.Exit leaves its trace.
func (r *report) endPackage(pkg string, lines []string, e event) {
	if e.Action != "skip" { // skip: the package has no test files
		r.tested = append(r.tested, packageTime{pkg, e.Elapsed})
	}
	if e.Action != "fail" {
		r.print(closingLines(lines))
		return
	}
	r.broken++
	for key, unfinished := range r.pending {
		if key.pkg == pkg {
			r.print(unfinished)
			delete(r.pending, key)
		}
	}
	r.print(lines)
}

func (r *report) print(lines []string) {
	if r.verbose {
		return // already printed as it came
	}
	for _, line := range lines {
		fmt.Fprint(r.out, line)
	}
}

// closingLines keeps the line go test prints for a tested package when -v is absent.
func closingLines(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, "ok ") })
}

// skipReason finds what the test passed to t.Skip: an indented line between the RUN and the SKIP markers.
func skipReason(lines []string) string {
	for _, line := range lines {
		text := strings.TrimSpace(line)
		if text != "" && !strings.HasPrefix(text, "===") && !strings.HasPrefix(text, "---") {
			return ": " + text
		}
	}
	return ""
}

// close prints the slowest packages and the totals.
func (r *report) close(took time.Duration) {
	slices.SortFunc(r.tested, func(a, b packageTime) int { return int((b.seconds - a.seconds) * 1000) })
	fmt.Fprintln(r.out, "\nslowest packages:")
	for _, p := range r.tested[:min(slowestShown, len(r.tested))] {
		fmt.Fprintf(r.out, "  %7.2fs  %s\n", p.seconds, p.pkg)
	}
	for _, name := range r.skipped {
		fmt.Fprintf(r.out, "--- SKIP: %s\n", name)
	}
	word := "PASS"
	if r.broken > 0 || r.verdict() != nil {
		word = "FAIL"
	}
	fmt.Fprintf(r.out, "%s: %d passed, %d failed, %d skipped in %d packages, %s\n",
		word, r.passed, r.failed, len(r.skipped), len(r.tested), took.Round(100*time.Millisecond))
}

// verdict refuses what go test itself lets pass.
func (r *report) verdict() error {
	if n := len(r.skipped); n > 0 {
		return fmt.Errorf("%d skipped: a skipped test proves nothing; make it run, or remove it", n)
	}
	if r.passed+r.failed == 0 {
		return fmt.Errorf("no test was executed: check the -run pattern and the package names")
	}
	return nil
}
