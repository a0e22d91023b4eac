// Package auth says who acts and what they may do: the Actor in the context, the
// grants of a role, and the scope (none, own, team, all) that becomes one SQL
// predicate below every surface. It stores nothing; identity does.
//
// Invariants: an Actor is immutable once it is in a context, always belongs to
// exactly one tenant, and a right that is not granted is refused.
package auth

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
)

// Via is the surface a change came through; it is written to the journal.
type Via string

const (
	ViaWeb      Via = "web"
	ViaAPI      Via = "api"
	ViaImport   Via = "import"
	ViaWorkflow Via = "workflow"
	ViaSystem   Via = "system"
	ViaForm     Via = "form"
	ViaCLI      Via = "cli"
)

// Kind says what sort of actor it is.
type Kind string

const (
	User   Kind = "user"
	APIKey Kind = "api_key"
	System Kind = "system"
)

// Scope is how far a grant reaches over the rows of an object.
type Scope uint8

const (
	None Scope = iota
	Own        // rows owned by the actor
	Team       // rows owned by somebody in the actor's teams
	All        // every row of the tenant
)

// ParseScope reads "none", "own", "team" or "all"; anything else is None.
func ParseScope(s string) Scope { return Scope(max(0, slices.Index(scopeNames, s))) }

func (s Scope) String() string { return scopeNames[s] }

var scopeNames = []string{"none", "own", "team", "all"}

// Action is what is done to a record.
type Action string

const (
	Create  Action = "create"
	Read    Action = "read"
	Update  Action = "update"
	Delete  Action = "delete"
	Execute Action = "execute"
	Purge   Action = "purge" // delete for good
	// Export narrows what may leave as a file; a role without it exports what it reads.
	Export Action = "export"
)

// Grants maps "object:action" to a scope. The object "*" covers every object
// that has no entry of its own.
type Grants map[string]Scope

// Scope returns the reach of an action on an object.
func (g Grants) Scope(object string, action Action) Scope {
	if s, ok := g[object+":"+string(action)]; ok {
		return s
	}
	return g["*:"+string(action)]
}

// Actor is who acts, resolved once per request or job.
type Actor struct {
	Kind      Kind
	TenantID  uuid.UUID
	ID        uuid.UUID // the user or API key; zero for System
	Name      string
	Role      string
	Grants    Grants
	TeamIDs   []uuid.UUID // teams the actor belongs to or leads
	TeamUsers []uuid.UUID // users of those teams, the actor included
	Via       Via
	RequestID string
	SessionID string
	TimeZone  string // IANA name, "" = UTC
	Currency  string // default of the tenant
	CauseSeq  int64  // journal row that caused this change, for reactions
	Depth     int    // length of the causing chain
	BatchID   uuid.UUID
}

type key struct{}

// With puts the actor into the context.
func With(ctx context.Context, a *Actor) context.Context { return context.WithValue(ctx, key{}, a) }

// From returns the actor, or nil when nobody is signed in.
func From(ctx context.Context) *Actor {
	a, _ := ctx.Value(key{}).(*Actor)
	return a
}

// ErrNobody is returned when work that needs an actor has none.
var ErrNobody = errs.New(errs.Unauthenticated, "unauthenticated", "Sign in or send an API key.")

// Must returns the actor or ErrNobody.
func Must(ctx context.Context) (*Actor, error) {
	if a := From(ctx); a != nil && a.TenantID != uuid.Nil {
		return a, nil
	}
	return nil, ErrNobody
}

// Require returns the actor and its scope for the action, or Forbidden.
func Require(ctx context.Context, object string, action Action) (*Actor, Scope, error) {
	a, err := Must(ctx)
	if err != nil {
		return nil, None, err
	}
	s := a.Grants.Scope(object, action)
	if s == None {
		return nil, None, Denied(object, action)
	}
	return a, s, nil
}

// Denied is the refusal of an action on an object.
func Denied(object string, action Action) error {
	return errs.New(errs.Forbidden, "forbidden", "Your role does not allow %s on %s. Ask an admin for it.", action, object)
}

// SystemActor acts for the product itself inside one tenant, with every right.
func SystemActor(tenant uuid.UUID) *Actor {
	return &Actor{Kind: System, TenantID: tenant, Name: "system", Role: "system", Grants: AllGrants(), Via: ViaSystem}
}

// AllGrants is every action on every object of one tenant.
func AllGrants() Grants {
	return Grants{"*:create": All, "*:read": All, "*:update": All, "*:delete": All, "*:execute": All, "*:purge": All}
}

// As returns a copy of the context whose actor is changed by fn.
func As(ctx context.Context, fn func(*Actor)) context.Context {
	a := From(ctx)
	if a == nil {
		return ctx
	}
	c := *a
	fn(&c)
	return With(ctx, &c)
}
