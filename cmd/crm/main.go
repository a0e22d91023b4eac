// Command crm is the whole product in one binary: the server, its migrations and
// the admin's tools. Run crm --help for the commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // one binary: a small machine or image may have no time zones of its own

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5/pgconn"

	"crm/internal/app"
	"crm/internal/platform/config"
	"crm/internal/platform/errs"
	"crm/internal/platform/observe"
)

// commands is the command line; every field is one command.
type commands struct {
	Config string `help:"Settings file." default:"crm.toml" type:"path" name:"config-file"`

	Serve   serveCmd   `cmd:"" help:"Start the server."`
	Migrate migrateCmd `cmd:"" help:"Bring the database schema up or down, or look at it."`
	Tenant  tenantCmd  `cmd:"" help:"Create, list, suspend and delete tenants."`
	User    userCmd    `cmd:"" help:"Create, list and disable users, reset passwords."`
	APIKey  apikeyCmd  `cmd:"" name:"apikey" help:"Create API keys."`
	Import  importCmd  `cmd:"" help:"Import a CSV file."`
	Demo    demoCmd    `cmd:"" help:"Load or remove the demo tenant."`
	Doctor  doctorCmd  `cmd:"" help:"Check the installation and say what to do."`
	OpenAPI openapiCmd `cmd:"" name:"openapi" help:"Print the OpenAPI document."`
	Show    configCmd  `cmd:"" name:"config" help:"Print the effective settings, secrets masked."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// env is what every command runs in.
type env struct {
	ctx context.Context
	cfg *config.Settings
	log *slog.Logger
	out io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run executes one command and returns its exit code: 0 ok, 1 failed, 2 wrong
// usage. Errors are one plain sentence on stderr.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c, kong.Name("crm"), kong.Description("A CRM you own: one binary, everything free."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit = code }), kong.UsageOnError())
	if err != nil {
		return fail(stderr, err, 1)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		return fail(stderr, fmt.Errorf("%w; see: crm --help", err), 2)
	}
	cfg, err := config.Load(environ, c.Config)
	if err != nil {
		return fail(stderr, err, 2)
	}
	log, err := observe.Logger(stderr, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return fail(stderr, err, 2)
	}
	slog.SetDefault(log)
	err = kctx.Run(&env{ctx: ctx, cfg: cfg, log: log, out: stdout})
	if errors.Is(err, errUsage) {
		return fail(stderr, err, 2)
	}
	if err != nil {
		return fail(stderr, err, 1)
	}
	return 0
}

// errUsage marks errors of the caller's words.
var errUsage = errors.New("wrong usage")

// fail prints the sentence a person needs, on one line; codes and causes stay
// inside.
func fail(w io.Writer, err error, code int) int {
	text := err.Error()
	var away *pgconn.ConnectError
	if e := errs.As(err); e != nil {
		text = e.Message
	} else if errors.As(err, &away) {
		text += "; start the database, or correct its address in CRM_DATABASE_URL"
	}
	fmt.Fprintln(w, "crm:", strings.Join(strings.Fields(text), " ")) // libraries break lines
	return code
}

// open builds the program for an admin command.
func (e *env) open() (*app.App, error) {
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return app.Open(e.ctx, e.cfg, quiet, app.Admin, false)
}
