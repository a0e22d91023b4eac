package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/app/demo"
	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/secret"
	"crm/internal/scoring"
)

// DemoSlug is the address of the demo tenant.
const DemoSlug = "demo"

// credentialsFile is written when the demo is complete, so that a load that was
// cut off is recognised by its absence.
func (a *App) credentialsFile() string {
	return filepath.Join(a.Cfg.DataDir, "demo-credentials.txt")
}

// DemoCredentials returns what was printed when the demo was loaded; "" when
// there is no complete demo.
func (a *App) DemoCredentials(ctx context.Context) (string, error) {
	if _, err := a.Identity.TenantBySlug(ctx, DemoSlug); err != nil {
		if errs.KindOf(err) == errs.NotFound {
			return "", nil
		}
		return "", err
	}
	raw, err := os.ReadFile(a.credentialsFile())
	if os.IsNotExist(err) {
		return "", nil
	}
	return string(raw), err
}

// ErrOccupied keeps made-up people out of a real installation.
var ErrOccupied = errs.New(errs.Conflict, "not_empty", "This installation already has tenants of its own. Load the demo beside them with: crm demo load --force")

// LoadDemo makes the demo tenant and returns its sign-ins. A demo that was cut
// off is put aside and made anew.
func (a *App) LoadDemo(ctx context.Context, force bool) (string, error) {
	if text, err := a.DemoCredentials(ctx); text != "" || err != nil {
		return text, err
	}
	if err := a.makeRoomForDemo(ctx, force); err != nil {
		return "", err
	}
	t, err := a.Identity.CreateTenant(ctx, identity.Tenant{Slug: DemoSlug, Name: "Demo Company", Currency: "EUR", TimeZone: "Europe/Berlin", Demo: true})
	if err != nil {
		return "", fmt.Errorf("make the demo tenant: %w", err)
	}
	actor := auth.SystemActor(t.ID)
	actor.Currency, actor.TimeZone = t.Currency, t.TimeZone
	ctx = auth.With(ctx, actor)
	owners, text, err := a.demoUsers(ctx)
	if err != nil {
		return "", err
	}
	m := &demo.Maker{K: a.Kernel, Now: a.now().UTC().Truncate(time.Minute), Owners: owners}
	if err := m.Load(ctx); err != nil {
		return "", err
	}
	if err := a.trainDemo(ctx); err != nil {
		return "", err
	}
	return text, os.WriteFile(a.credentialsFile(), []byte(text), 0o600)
}

// makeRoomForDemo refuses an occupied installation and moves half a demo away.
func (a *App) makeRoomForDemo(ctx context.Context, force bool) error {
	tenants, err := a.Identity.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if t.Slug == DemoSlug {
			if err := a.Identity.Retire(auth.With(ctx, auth.SystemActor(t.ID))); err != nil {
				return err
			}
			continue
		}
		if !t.Demo && !force {
			return ErrOccupied
		}
	}
	return nil
}

// RemoveDemo closes the demo tenant and frees its address.
func (a *App) RemoveDemo(ctx context.Context) error {
	t, err := a.Identity.TenantBySlug(ctx, DemoSlug)
	if err != nil {
		return err
	}
	if err := a.Identity.Retire(auth.With(ctx, auth.SystemActor(t.ID))); err != nil {
		return err
	}
	if err := os.Remove(a.credentialsFile()); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

var demoPeople = []struct{ name, email, role string }{
	{"Amelie Admin", "admin@demo.test", identity.TenantAdmin},
	{"Marco Manager", "manager@demo.test", identity.SalesManager},
	{"Ria Rep", "rep@demo.test", identity.SalesRep},
}

// demoUsers makes three people who can sign in, in one team, and returns who
// owns the records.
func (a *App) demoUsers(ctx context.Context) ([]uuid.UUID, string, error) {
	team, err := a.Identity.Teams.Create(ctx, &identity.Team{Name: "Sales"})
	if err != nil {
		return nil, "", err
	}
	var owners []uuid.UUID
	var text strings.Builder
	fmt.Fprintf(&text, "Sign in at %s/sign-in\n", a.Cfg.URL())
	for _, p := range demoPeople {
		password := demoPassword()
		u, err := a.Identity.CreateUser(ctx, identity.NewUser{Name: p.name, Email: p.email, Role: p.role, Password: password, TeamID: &team.ID})
		if err != nil {
			return nil, "", err
		}
		fmt.Fprintf(&text, "  %-18s  %s\n", p.email, password)
		if p.role != identity.TenantAdmin {
			owners = append(owners, u.ID)
		}
	}
	return owners, text.String(), nil
}

// demoPassword is random and can be typed: four groups of four.
func demoPassword() string {
	token, _ := secret.Token("")
	token = strings.ToLower(token)
	return strings.Join([]string{token[:4], token[4:8], token[8:12], token[12:16]}, "-")
}

// trainDemo trains the first model of the demo tenant; the job runs when the
// server does.
func (a *App) trainDemo(ctx context.Context) error {
	_, err := a.Scoring.Train(ctx, scoring.TrainRequest{Object: "lead"})
	return err
}
