package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"crm/internal/app"
	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// inTenant opens the program and runs fn as the system inside a tenant.
func (e *env) inTenant(slug string, fn func(ctx context.Context, a *app.App) error) error {
	return e.with(func(a *app.App) error {
		t, err := a.Identity.TenantBySlug(e.ctx, slug)
		if err != nil {
			return err
		}
		actor := auth.SystemActor(t.ID)
		actor.Via, actor.Name, actor.Currency, actor.TimeZone = auth.ViaCLI, "command line", t.Currency, t.TimeZone
		return fn(auth.With(e.ctx, actor), a)
	})
}

func (e *env) with(fn func(a *app.App) error) error {
	a, err := e.open()
	if err != nil {
		return err
	}
	defer a.Close(context.WithoutCancel(e.ctx))
	return fn(a)
}

// printJSON or a table, as the caller wants.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printTable(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

type tenantCmd struct {
	Create  tenantCreate  `cmd:"" help:"Create a tenant."`
	List    tenantList    `cmd:"" help:"List the tenants."`
	Suspend tenantSuspend `cmd:"" help:"Close a tenant; its data stays."`
	Delete  tenantDelete  `cmd:"" help:"Close a tenant for good; its data stays in the database."`
	Export  tenantExport  `cmd:"" help:"Write everything a tenant has into a file."`
	Import  tenantImport  `cmd:"" help:"Make a tenant from such a file."`
}

func (tenantCmd) Help() string {
	return "Examples:\n  crm tenant create --name alpha --currency EUR\n  crm tenant list --json\n  crm tenant export --tenant alpha alpha.zip\n  crm tenant import alpha.zip --name alpha-copy"
}

type tenantCreate struct {
	Name     string `help:"Name; the address is made of it." required:""`
	Slug     string `help:"Address, when it should differ from the name."`
	Currency string `help:"Currency of the workspace." default:"USD"`
	TimeZone string `help:"Time zone, as in Europe/Berlin." default:"UTC"`
	JSON     bool   `help:"Print JSON."`
}

func (c *tenantCreate) Run(e *env) error {
	return e.with(func(a *app.App) error {
		t, err := a.Identity.CreateTenant(e.ctx, identity.Tenant{Name: c.Name, Slug: c.Slug, Currency: c.Currency, TimeZone: c.TimeZone})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.out, t)
		}
		fmt.Fprintf(e.out, "Tenant %s is at %s/%s\nNext: crm user create --tenant %s --email you@company.com --role tenant_admin\n", t.Slug, e.cfg.URL(), t.Slug, t.Slug)
		return nil
	})
}

type tenantList struct {
	JSON bool `help:"Print JSON."`
}

func (c *tenantList) Run(e *env) error {
	return e.with(func(a *app.App) error {
		list, err := a.Identity.Tenants(e.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			if list == nil {
				list = []identity.Tenant{}
			}
			return printJSON(e.out, list)
		}
		var rows [][]string
		for _, t := range list {
			rows = append(rows, []string{t.Slug, t.Name, t.Currency, t.CreatedAt.Format("2006-01-02")})
		}
		return printTable(e.out, []string{"TENANT", "NAME", "CURRENCY", "CREATED"}, rows)
	})
}

type tenantSuspend struct {
	Name string `arg:"" help:"The tenant."`
}

func (c *tenantSuspend) Run(e *env) error { return e.setState(c.Name, "suspended") }

type tenantDelete struct {
	Name string `arg:"" help:"The tenant."`
	Yes  bool   `help:"Really do it."`
}

func (c *tenantDelete) Run(e *env) error {
	if !c.Yes {
		return fmt.Errorf("%w: this closes tenant %s for everybody; repeat with --yes", errUsage, c.Name)
	}
	return e.setState(c.Name, "deleted")
}

func (e *env) setState(slug, state string) error {
	return e.inTenant(slug, func(ctx context.Context, a *app.App) error {
		if err := a.Identity.SetTenantState(ctx, state); err != nil {
			return err
		}
		fmt.Fprintf(e.out, "Tenant %s is %s.\n", slug, state)
		return nil
	})
}

type userCmd struct {
	Create  userCreate  `cmd:"" help:"Create a user who can sign in."`
	List    userList    `cmd:"" help:"List the users of a tenant."`
	Disable userDisable `cmd:"" help:"Disable a user and end their sessions."`
	Enable  userEnable  `cmd:"" help:"Let a disabled user in again."`
	Invite  userInvite  `cmd:"" help:"Create a user and print a link by which they choose a password."`
	MFA     userMFA     `cmd:"" name:"mfa-reset" aliases:"reset-mfa" help:"Take a user's second factors away."`
	Reset   userReset   `cmd:"" name:"reset-password" help:"Give a user a new password, or print a link to choose one."`
}

func (userCmd) Help() string {
	return "Examples:\n  crm user create --tenant alpha --email ada@alpha.test --role tenant_admin --password 'four quiet words here'\n  crm user create --tenant alpha --email bob@alpha.test    (asks for the password)"
}

type userCreate struct {
	Tenant   string `help:"The tenant." required:""`
	Email    string `help:"E-mail address, used to sign in." required:""`
	Name     string `help:"Name; the address when left out."`
	Role     string `help:"tenant_admin, sales_manager, sales_rep or a role of your own." default:"sales_rep"`
	Password string `help:"Password; read from standard input when left out."`
	JSON     bool   `help:"Print JSON."`
}

func (c *userCreate) Run(e *env) error {
	if err := askPassword(&c.Password); err != nil {
		return err
	}
	return e.inTenant(c.Tenant, func(ctx context.Context, a *app.App) error {
		u, err := a.Identity.CreateUser(ctx, identity.NewUser{Name: c.Name, Email: c.Email, Password: c.Password, Role: c.Role})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.out, map[string]any{"id": u.ID, "email": u.Email, "name": u.Name, "role": c.Role})
		}
		fmt.Fprintf(e.out, "User %s can sign in at %s/sign-in\n", u.Email, e.cfg.URL())
		return nil
	})
}

// askPassword reads a line from standard input when no flag gave one.
func askPassword(p *string) error {
	if *p != "" {
		return nil
	}
	fmt.Fprint(os.Stderr, "Password: ")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	*p = strings.TrimRight(line, "\r\n")
	if *p == "" && err != nil {
		return fmt.Errorf("%w: a password is needed, with --password or on standard input: %w", errUsage, err)
	}
	return nil
}

type userList struct {
	Tenant string `help:"The tenant." required:""`
	JSON   bool   `help:"Print JSON."`
}

func (c *userList) Run(e *env) error {
	return e.inTenant(c.Tenant, func(ctx context.Context, a *app.App) error {
		users, err := a.Identity.Users.Find(ctx, record.Query{Limit: record.MaxLimit})
		if err != nil {
			return err
		}
		rows := [][]string{}
		list := []map[string]any{}
		for _, u := range users {
			rows = append(rows, []string{u.Email, u.Name, u.State, u.ID.String()})
			list = append(list, map[string]any{"id": u.ID, "email": u.Email, "name": u.Name, "state": u.State})
		}
		if c.JSON {
			return printJSON(e.out, list)
		}
		return printTable(e.out, []string{"E-MAIL", "NAME", "STATE", "ID"}, rows)
	})
}

func userByEmail(ctx context.Context, a *app.App, email string) (*record.Record, error) {
	u, err := a.Identity.Users.FindBy(ctx, "email", strings.ToLower(email))
	if err == nil && u == nil {
		err = errs.New(errs.NotFound, "no_such_user", "There is no user %s. List them with: crm user list", email)
	}
	return u, err
}

type apikeyCmd struct {
	Create apikeyCreate `cmd:"" help:"Create a key and print it once."`
}

func (apikeyCmd) Help() string {
	return "Example:\n  KEY=$(crm apikey create --tenant alpha --name importer)"
}

type apikeyCreate struct {
	Tenant string `help:"The tenant." required:""`
	Role   string `help:"Role whose rights the key has." default:"tenant_admin"`
	Name   string `help:"What uses the key." default:"command line"`
	JSON   bool   `help:"Print JSON."`
}

func (c *apikeyCreate) Run(e *env) error {
	return e.inTenant(c.Tenant, func(ctx context.Context, a *app.App) error {
		k, err := a.Identity.CreateAPIKey(ctx, c.Name, c.Role)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.out, k)
		}
		fmt.Fprintln(e.out, k.Token)
		return nil
	})
}
