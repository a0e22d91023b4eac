package main

import (
	"context"
	"errors"
	"fmt"

	"crm/internal/app"
)

type serveCmd struct {
	Role string `help:"Which half to run." enum:"all,web,worker" default:"all"`
	Demo bool   `help:"Load the demo tenant on the first start and print its sign-in."`
}

func (serveCmd) Help() string {
	return `Examples:
  crm serve                 start everything on CRM_ADDR (127.0.0.1:8080)
  crm serve --demo          the same, with a demo tenant to look around in
  crm serve --role worker   only background jobs, beside other machines`
}

func (c *serveCmd) Run(e *env) error {
	a, err := app.Open(e.ctx, e.cfg, e.log, app.Serve, c.Role != string(app.RoleWeb))
	if err != nil {
		return err
	}
	defer a.Close(context.WithoutCancel(e.ctx))
	demo := ""
	if c.Demo {
		if demo, err = a.LoadDemo(e.ctx, false); err != nil && !errors.Is(err, app.ErrOccupied) {
			return err
		}
	}
	return a.Serve(e.ctx, app.Role(c.Role), func(addr string) {
		fmt.Fprintf(e.out, "crm is ready at %s\n%s", e.cfg.URL(), demo)
	})
}
