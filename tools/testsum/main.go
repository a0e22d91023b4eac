// Command testsum runs `go test -json` with the arguments it is given and tells the result to a person.
//
// It exists for two promises that go test alone does not make: a skipped test is a failure (a test that is not run
// proves nothing), and a run in which no test was executed is a failure (a mistyped -run must not look green).
// Otherwise it prints what go test prints: one closing line per package, and the full output of what failed. With -v
// everything is printed. It ends with the slowest packages and one line of totals.
//
// The exit status is 0 only if go test succeeded, nothing was skipped and something ran. It needs nothing but the
// standard library, so it builds in a second and downloads none of the tools this module pins.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// interruptGrace is how long go test may take to stop its test programs after Ctrl-C before it is killed.
const interruptGrace = 15 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes go test and returns the exit status for the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	started := time.Now()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace

	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintf(stderr, "testsum: start go test: %v\n", err)
		return 1
	}
	report := newReport(stdout, slices.Contains(args, "-v"))
	readErr := report.read(events)
	waitErr := cmd.Wait()
	report.close(time.Since(started))
	if err := errors.Join(readErr, waitErr, report.verdict()); err != nil {
		fmt.Fprintf(stderr, "testsum: %v\n", err)
		return 1
	}
	return 0
}
