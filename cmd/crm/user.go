package main

import (
	"context"
	"fmt"

	"crm/internal/app"
	"crm/internal/identity"
	"crm/internal/record"
)

// ofUser is whom a command is about.
type ofUser struct {
	Tenant string `help:"The tenant." required:""`
	Email  string `help:"Whom." required:""`
}

// run finds the user and does something with it, as the system inside the tenant.
func (c *ofUser) run(e *env, fn func(ctx context.Context, a *app.App, u *record.Record) error) error {
	return e.inTenant(c.Tenant, func(ctx context.Context, a *app.App) error {
		u, err := userByEmail(ctx, a, c.Email)
		if err != nil {
			return err
		}
		return fn(ctx, a, u)
	})
}

type userDisable struct{ ofUser }

func (c *userDisable) Run(e *env) error {
	return c.setState(e, "disabled", "User %s is disabled and signed out.\n")
}

type userEnable struct{ ofUser }

func (c *userEnable) Run(e *env) error {
	return c.setState(e, "active", "User %s can sign in again.\n")
}

func (c *ofUser) setState(e *env, state, done string) error {
	return c.run(e, func(ctx context.Context, a *app.App, u *record.Record) error {
		if _, err := a.Identity.Users.One(ctx, record.Operation{Kind: record.OpUpdate, ID: u.ID(), Patch: record.Patch{"state": state}}); err != nil {
			return err
		}
		fmt.Fprintf(e.out, done, c.Email)
		return nil
	})
}

type userReset struct {
	ofUser
	Password string `help:"The new password; read from standard input when left out."`
	Link     bool   `help:"Print a link by which the user chooses the password, instead."`
}

func (c *userReset) Run(e *env) error {
	if !c.Link {
		if err := askPassword(&c.Password); err != nil {
			return err
		}
	}
	return c.run(e, func(ctx context.Context, a *app.App, u *record.Record) error {
		if c.Link {
			link, err := a.Identity.ResetLink(ctx, u.ID())
			return printLink(e, link, c.Email, err)
		}
		if err := a.Identity.SetPassword(ctx, u.ID(), c.Password); err != nil {
			return err
		}
		fmt.Fprintf(e.out, "User %s has a new password and is signed out everywhere.\n", c.Email)
		return nil
	})
}

type userMFA struct{ ofUser }

func (c *userMFA) Run(e *env) error {
	return c.run(e, func(ctx context.Context, a *app.App, u *record.Record) error {
		if err := a.Identity.ResetMFA(ctx, u.ID()); err != nil {
			return err
		}
		fmt.Fprintf(e.out, "User %s has no second factor any more and is signed out everywhere.\n", c.Email)
		return nil
	})
}

type userInvite struct {
	Tenant string `help:"The tenant." required:""`
	Email  string `help:"E-mail address, used to sign in." required:""`
	Name   string `help:"Name; the address when left out."`
	Role   string `help:"tenant_admin, sales_manager, sales_rep or a role of your own." default:"sales_rep"`
}

func (c *userInvite) Run(e *env) error {
	return e.inTenant(c.Tenant, func(ctx context.Context, a *app.App) error {
		_, link, err := a.Identity.Invite(ctx, identity.NewUser{Name: c.Name, Email: c.Email, Role: c.Role})
		return printLink(e, link, c.Email, err)
	})
}

// printLink prints the link alone, so that a script can take it.
func printLink(e *env, link *identity.Link, email string, err error) error {
	if err != nil {
		return err
	}
	if link.Mailed {
		fmt.Fprintf(e.out, "A link is on its way to %s.\n", email)
		return nil
	}
	fmt.Fprintln(e.out, link.URL)
	return nil
}
