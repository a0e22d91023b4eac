// Command bench measures the program beside its peers and physical limits and prints one line per figure:
//
//	name value unit (peer value, ratio)
//
// It builds ./bin/crm, runs it on a data directory of its own and calls it as clients do: over HTTP, 16 connections,
// authenticated. Every figure is measured in the same run as its peer, in interleaved rounds; values are medians of the
// rounds, a ratio is the median of the rounds' own ratios (ours / peer). Figures ending in _cpu are the CPU time of all
// server processes, PostgreSQL included, per request: they survive a machine that does other work, wall-clock does not.
//
// A full run writes bench/results/<UTC time>.json and bench/results/latest.md; one with -only or -quick writes a .tmp
// file that git ignores. With -profile the server runs inside this program and leaves a CPU profile. A call the program does not have is reported as absent, never guessed.
//
// Exit codes: 0 measured, 1 something failed, 2 wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"crm/bench/floor"
)

// options are the command line.
type options struct {
	only   []string
	rows   int
	rounds int
	quick  bool
	// profile is where the server's CPU profile goes; the server is then this program, which holds the same code.
	profile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	err := helper(ctx, args)
	if err == errNoHelper { //nolint:errorlint // a mark, never wrapped
		var opt options
		if opt, err = parse(args, os.Stderr); err != nil {
			return 2
		}
		err = bench(ctx, opt)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string, out io.Writer) (options, error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(out)
	only := fs.String("only", "", "comma list of measurements: "+strings.Join(names(), ", "))
	rows := fs.Int("rows", 0, "contacts in the tenant (default 20,000; 5,000 with -quick; 100,000 for figures to compare with other products)")
	rounds := fs.Int("rounds", 0, "interleaved rounds per figure (default 5; 3 with -quick)")
	quick := fs.Bool("quick", false, "a minute's look instead of a result")
	profile := fs.String("profile", "", "write the server's CPU profile to this file, for go tool pprof")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	opt := options{rows: *rows, rounds: *rounds, quick: *quick, profile: *profile}
	if *profile != "" {
		var err error
		if opt.profile, err = filepath.Abs(*profile); err != nil {
			return opt, err
		}
	}
	if *only != "" {
		opt.only = strings.Split(*only, ",")
	}
	opt.defaults()
	return opt, opt.check(fs)
}

func (o *options) defaults() {
	rows, rounds := 20_000, 5
	if o.quick {
		rows, rounds = 5_000, 3
	}
	if o.rows == 0 {
		o.rows = rows
	}
	if o.rounds == 0 {
		o.rounds = rounds
	}
}

func (o *options) check(fs *flag.FlagSet) error {
	err := error(nil)
	if fs.NArg() > 0 || o.rows < 1000 || o.rounds < 1 {
		err = fmt.Errorf("wrong usage: -rows is at least 1000, -rounds at least 1, and there are no further arguments")
	}
	for _, name := range o.only {
		if !known(name) {
			err = fmt.Errorf("there is no measurement %q; choose from %s", name, strings.Join(names(), ", "))
		}
	}
	if err != nil {
		fmt.Fprintln(fs.Output(), "bench:", err)
	}
	return err
}

// partial tells whether the run is too small, or too much watched, to be a result.
func (o *options) partial() bool { return o.quick || len(o.only) > 0 || o.profile != "" }

// round is how long one side of one round is loaded.
func (o *options) round() time.Duration {
	if o.quick {
		return 700 * time.Millisecond
	}
	return 2 * time.Second
}

// size takes the smaller number in a quick run.
func (o *options) size(full, quick int) int {
	if o.quick {
		return quick
	}
	return full
}

// errNoHelper says that the arguments are a person's.
var errNoHelper = fmt.Errorf("not a helper")

// helper runs one of the processes that the benchmark starts of itself.
func helper(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errNoHelper
	}
	switch args[0] {
	case "floor":
		return serveFloor(ctx, args[1], args[2])
	case "serve-profiled":
		return serveProfiled(ctx, args[1])
	case "sink":
		return serveSink(os.Stdin, os.Stdout)
	}
	return errNoHelper
}

// serveFloor ends with its standard input, so that it does not outlive the benchmark.
func serveFloor(ctx context.Context, url, tenant string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	id, err := uuid.Parse(tenant)
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	return floor.Serve(ctx, url, id, os.Stdout)
}
