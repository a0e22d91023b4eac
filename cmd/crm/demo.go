package main

import (
	"fmt"

	"crm/internal/app"
)

type demoCmd struct {
	Load   demoLoad   `cmd:"" help:"Make a demo tenant with a year of plausible history."`
	Remove demoRemove `cmd:"" help:"Close the demo tenant."`
}

func (demoCmd) Help() string {
	return "Examples:\n  crm demo load\n  crm demo remove"
}

type demoLoad struct {
	Force bool `help:"Also beside tenants of your own."`
}

func (c *demoLoad) Run(e *env) error {
	return e.with(func(a *app.App) error {
		text, err := a.LoadDemo(e.ctx, c.Force)
		if err != nil {
			return err
		}
		fmt.Fprint(e.out, text)
		return nil
	})
}

type demoRemove struct{}

func (demoRemove) Run(e *env) error {
	return e.with(func(a *app.App) error {
		if err := a.RemoveDemo(e.ctx); err != nil {
			return err
		}
		fmt.Fprintln(e.out, "The demo tenant is closed.")
		return nil
	})
}
