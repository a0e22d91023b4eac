package main

import (
	"strings"
	"testing"
	"time"
)

// feed plays events into a quiet report and returns what it printed with its verdict.
func feed(t *testing.T, events ...string) (printed string, verdict error) {
	t.Helper()
	var out strings.Builder
	r := newReport(&out, false)
	if err := r.read(strings.NewReader(strings.Join(events, "\n") + "\n")); err != nil {
		t.Fatalf("read events: %v", err)
	}
	r.close(time.Second)
	return out.String(), r.verdict()
}

func TestReport(t *testing.T) {
	t.Parallel()
	const (
		passed   = `{"Action":"pass","Package":"crm/a","Test":"TestA"}`
		okLine   = `{"Action":"output","Package":"crm/a","Output":"ok  \tcrm/a\t0.1s\n"}`
		okEnd    = `{"Action":"pass","Package":"crm/a","Elapsed":0.1}`
		skipText = `{"Action":"output","Package":"crm/a","Test":"TestB","Output":"    b_test.go:7: no redis\n"}`
		skipped  = `{"Action":"skip","Package":"crm/a","Test":"TestB"}`
		noFiles  = `{"Action":"skip","Package":"crm/b"}`
		panicked = `{"Action":"output","Package":"crm/c","Test":"TestC","Output":"panic: boom\n"}`
		brokeEnd = `{"Action":"fail","Package":"crm/c","Elapsed":0.2}`
	)
	tests := []struct {
		name    string
		events  []string
		want    []string // each must be printed
		refused bool
	}{
		{
			name:   "a passing package keeps its closing line",
			events: []string{passed, okLine, okEnd, noFiles},
			want:   []string{"ok  \tcrm/a\t0.1s\n", "PASS: 1 passed, 0 failed, 0 skipped in 1 packages"},
		},
		{
			name:    "a skipped test is named with its reason and refused",
			events:  []string{passed, skipText, skipped, okLine, okEnd},
			want:    []string{"--- SKIP: crm/a TestB: b_test.go:7: no redis", "FAIL: 1 passed, 0 failed, 1 skipped"},
			refused: true,
		},
		{
			name:   "a package that dies prints what its unfinished test said",
			events: []string{passed, okEnd, panicked, brokeEnd},
			want:   []string{"panic: boom", "FAIL: 1 passed"},
		},
		{
			name:    "a run without tests is refused",
			events:  []string{noFiles},
			want:    []string{"FAIL: 0 passed"},
			refused: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			printed, verdict := feed(t, tt.events...)
			for _, want := range tt.want {
				if !strings.Contains(printed, want) {
					t.Errorf("printed %q, want %q in it", printed, want)
				}
			}
			if (verdict != nil) != tt.refused {
				t.Errorf("verdict = %v, want refused = %v", verdict, tt.refused)
			}
		})
	}
}
