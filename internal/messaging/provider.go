package messaging

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

// States of a provider. An unhealthy one is left out until its settings change or
// a test succeeds.
const (
	Active    = "active"
	Unhealthy = "unhealthy"
	Disabled  = "disabled"
)

// Provider is a way out for messages of one channel; a lower priority is tried
// first. Settings hold no secrets; SecretsSet names the secrets that are there.
type Provider struct {
	ID         uuid.UUID
	Name       string
	Channel    string
	Type       string
	Priority   int
	Settings   map[string]any
	SecretsSet []string
	State      string
	LastError  string
	CheckedAt  *time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Version    int64
}

// ProviderInput is what is wanted of a provider; nil keeps. Settings are merged
// key by key, null clears one.
type ProviderInput struct {
	Name     *string
	Channel  *string
	Type     *string
	Priority *int
	Settings map[string]any
	State    *string
}

// Check is the outcome of a test; Step names what failed.
type Check struct {
	OK      bool
	Step    string
	Message string
}

const providerObject = "provider"

func asProvider(p *messagingdb.Provider) *Provider {
	out := &Provider{
		ID: p.ID, Name: p.Name, Channel: p.Channel, Type: p.Type, Priority: int(p.Priority), Settings: plainSettings(p), SecretsSet: []string{},
		State: p.State, LastError: p.LastError, CheckedAt: p.CheckedAt, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}
	if names, ok := out.Settings["secrets_set"].([]any); ok {
		for _, n := range names {
			out.SecretsSet = append(out.SecretsSet, fmt.Sprint(n))
		}
	}
	delete(out.Settings, "secrets_set")
	return out
}

func plainSettings(p *messagingdb.Provider) map[string]any {
	plain := map[string]any{}
	_ = json.Unmarshal(p.Settings, &plain) // the column holds what we wrote
	return plain
}

// Providers lists all, in the order in which they are tried.
func (s *Service) Providers(ctx context.Context) ([]*Provider, error) {
	if _, _, err := auth.Require(ctx, providerObject, auth.Read); err != nil {
		return nil, err
	}
	out := []*Provider{}
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := messagingdb.New(tx).Providers(ctx, tenantOf(ctx))
		for _, p := range rows {
			out = append(out, asProvider(p))
		}
		return err
	})
	return out, err
}

// Provider returns one.
func (s *Service) Provider(ctx context.Context, provider uuid.UUID) (*Provider, error) {
	if _, _, err := auth.Require(ctx, providerObject, auth.Read); err != nil {
		return nil, err
	}
	row, err := s.providerRow(ctx, provider)
	if err != nil {
		return nil, err
	}
	return asProvider(row), nil
}

func (s *Service) providerRow(ctx context.Context, provider uuid.UUID) (*messagingdb.Provider, error) {
	var row *messagingdb.Provider
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		row, err = messagingdb.New(tx).Provider(ctx, messagingdb.ProviderParams{TenantID: tenantOf(ctx), ID: provider})
		return err
	})
	if errs.KindOf(err) == errs.NotFound {
		err = errs.Missing("provider")
	}
	return row, err
}

// CreateProvider adds a way out; messages that waited for one go on.
func (s *Service) CreateProvider(ctx context.Context, in ProviderInput) (*Provider, error) {
	a, _, err := auth.Require(ctx, providerObject, auth.Create)
	if err != nil {
		return nil, err
	}
	now := s.micros()
	p := &messagingdb.Provider{TenantID: a.TenantID, ID: id.New(), Priority: 10, State: Active, CreatedAt: now, UpdatedAt: now, Version: 1, Settings: []byte("{}")}
	if p.Channel, p.Type, err = in.kind(); err != nil {
		return nil, err
	}
	if err := s.apply(p, in); err != nil {
		return nil, err
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := messagingdb.New(tx)
		err := q.InsertProvider(ctx, messagingdb.InsertProviderParams{
			TenantID: p.TenantID, ID: p.ID, Name: p.Name, Channel: p.Channel, Type: p.Type, Priority: p.Priority, Settings: p.Settings, Sealed: p.Sealed,
			State: p.State, CreatedAt: now, CreatedBy: userOf(a),
		})
		if err != nil {
			return err
		}
		return s.afterProvider(ctx, tx, p, "created")
	})
	if err != nil {
		return nil, err
	}
	return asProvider(p), nil
}

// kind checks what cannot be changed later.
func (in ProviderInput) kind() (channel, typ string, err error) {
	channel, typ = Email, ""
	if in.Channel != nil {
		channel = *in.Channel
	}
	if in.Type != nil {
		typ = *in.Type
	}
	var refused errs.Fields
	if settingsOf[typ] == nil {
		refused.Add("type", "not_an_option", "Type is smtp or http.")
	}
	if channel != Email && channel != SMS && channel != Chat {
		refused.Add("channel", "not_an_option", "Channel is email, sms or chat.")
	}
	if typ == TypeSMTP && channel != Email {
		refused.Add("channel", "not_an_option", "An SMTP server takes e-mail only.")
	}
	return channel, typ, refused.Err()
}

// UpdateProvider changes what is given. A working state comes back with it: new
// settings deserve a new try.
func (s *Service) UpdateProvider(ctx context.Context, provider uuid.UUID, ifVersion *int64, in ProviderInput) (*Provider, error) {
	a, _, err := auth.Require(ctx, providerObject, auth.Update)
	if err != nil {
		return nil, err
	}
	var p *messagingdb.Provider
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := messagingdb.New(tx)
		if p, err = s.lockProvider(ctx, q, provider, ifVersion); err != nil {
			return err
		}
		if err := in.sameKind(p); err != nil {
			return err
		}
		if in.State == nil && p.State == Unhealthy {
			p.State, p.LastError = Active, ""
		}
		if err := s.apply(p, in); err != nil {
			return err
		}
		p.UpdatedAt, p.Version = s.micros(), p.Version+1
		err := q.UpdateProvider(ctx, messagingdb.UpdateProviderParams{
			Name: p.Name, Priority: p.Priority, Settings: p.Settings, Sealed: p.Sealed, State: p.State, LastError: p.LastError,
			UpdatedAt: p.UpdatedAt, UpdatedBy: userOf(a), TenantID: p.TenantID, ID: p.ID,
		})
		if err != nil {
			return err
		}
		return s.afterProvider(ctx, tx, p, "updated")
	})
	if err != nil {
		return nil, err
	}
	return asProvider(p), nil
}

func (s *Service) lockProvider(ctx context.Context, q *messagingdb.Queries, provider uuid.UUID, ifVersion *int64) (*messagingdb.Provider, error) {
	p, err := q.LockProvider(ctx, messagingdb.LockProviderParams{TenantID: tenantOf(ctx), ID: provider})
	if err != nil && errs.KindOf(db.MapError(err)) == errs.NotFound {
		return nil, errs.Missing("provider")
	}
	if err != nil {
		return nil, err
	}
	if ifVersion != nil && *ifVersion != p.Version {
		return nil, errs.New(errs.Stale, "stale_version", "Somebody changed this provider meanwhile; it is now version %d. Load it again.", p.Version)
	}
	return p, nil
}

func (in ProviderInput) sameKind(p *messagingdb.Provider) error {
	if in.Type != nil && *in.Type != p.Type {
		return errs.Field("type", "read_only", "The type of a provider cannot be changed. Add another provider instead.")
	}
	if in.Channel != nil && *in.Channel != p.Channel {
		return errs.Field("channel", "read_only", "The channel of a provider cannot be changed. Add another provider instead.")
	}
	return nil
}

// DeleteProvider takes a way out away and forgets its secrets.
func (s *Service) DeleteProvider(ctx context.Context, provider uuid.UUID) error {
	a, _, err := auth.Require(ctx, providerObject, auth.Delete)
	if err != nil {
		return err
	}
	return s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := messagingdb.New(tx)
		p, err := s.lockProvider(ctx, q, provider, nil)
		if err != nil {
			return err
		}
		now := s.micros()
		if err := q.DeleteProvider(ctx, messagingdb.DeleteProviderParams{DeletedAt: &now, UpdatedBy: userOf(a), TenantID: p.TenantID, ID: p.ID}); err != nil {
			return err
		}
		p.State = Disabled
		return s.afterProvider(ctx, tx, p, "deleted")
	})
}

func userOf(a *auth.Actor) *uuid.UUID {
	if a.Kind != auth.User {
		return nil
	}
	return &a.ID
}
