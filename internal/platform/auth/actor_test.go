package auth_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

func TestScopesAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for _, s := range []auth.Scope{auth.None, auth.Own, auth.Team, auth.All} {
		if got := auth.ParseScope(s.String()); got != s {
			t.Errorf("%s is read as %s", s, got)
		}
	}
	for _, text := range []string{"", "ALL", "everything", " all", "own,team"} {
		if got := auth.ParseScope(text); got != auth.None {
			t.Errorf("%q grants %s, want none", text, got)
		}
	}
}

func TestTheOwnEntryOfAnObjectBeatsTheStar(t *testing.T) {
	t.Parallel()
	g := auth.Grants{"*:read": auth.All, "*:update": auth.Own, "deal:read": auth.Team, "deal:update": auth.None, "lead:delete": auth.All}
	tests := []struct {
		object string
		action auth.Action
		want   auth.Scope
	}{
		{"contact", auth.Read, auth.All},
		{"deal", auth.Read, auth.Team},
		{"contact", auth.Update, auth.Own},
		{"deal", auth.Update, auth.None}, // taken away, although the star grants it
		{"lead", auth.Delete, auth.All},
		{"deal", auth.Delete, auth.None},
		{"contact", auth.Execute, auth.None},
		{"", auth.Create, auth.None},
	}
	for _, tt := range tests {
		if got := g.Scope(tt.object, tt.action); got != tt.want {
			t.Errorf("%s on %q reaches %s, want %s", tt.action, tt.object, got, tt.want)
		}
	}
	if got := auth.Grants(nil).Scope("deal", auth.Read); got != auth.None {
		t.Errorf("no grants at all reach %s", got)
	}
}

func TestRequireRefusesWhatIsNotGranted(t *testing.T) {
	t.Parallel()
	rep := &auth.Actor{Kind: auth.User, TenantID: id.New(), ID: id.New(), Grants: auth.Grants{"deal:read": auth.Own}}
	tests := []struct {
		name   string
		ctx    context.Context
		action auth.Action
		kind   errs.Kind
		code   string
	}{
		{"nobody", t.Context(), auth.Read, errs.Unauthenticated, "unauthenticated"},
		{"an actor without a tenant", auth.With(t.Context(), &auth.Actor{Grants: auth.AllGrants()}), auth.Read, errs.Unauthenticated, "unauthenticated"},
		{"no such right", auth.With(t.Context(), rep), auth.Update, errs.Forbidden, "forbidden"},
	}
	for _, tt := range tests {
		a, scope, err := auth.Require(tt.ctx, "deal", tt.action)
		if e := errs.As(err); a != nil || scope != auth.None || e == nil || e.Kind != tt.kind || e.Code != tt.code {
			t.Errorf("%s: %v, %s, %v", tt.name, a, scope, err)
		}
	}
	a, scope, err := auth.Require(auth.With(t.Context(), rep), "deal", auth.Read)
	if err != nil || a != rep || scope != auth.Own {
		t.Errorf("a granted right: %v, %s, %v", a, scope, err)
	}
}

func TestTheSystemMayDoEverythingInOneTenant(t *testing.T) {
	t.Parallel()
	tenant := id.New()
	ctx := auth.With(t.Context(), auth.SystemActor(tenant))
	for _, action := range []auth.Action{auth.Create, auth.Read, auth.Update, auth.Delete, auth.Execute} {
		a, scope, err := auth.Require(ctx, "anything", action)
		if err != nil || scope != auth.All || a.TenantID != tenant || a.Kind != auth.System || a.ID != uuid.Nil {
			t.Errorf("%s by the system: %+v, %s, %v", action, a, scope, err)
		}
	}
}

func TestAsChangesACopy(t *testing.T) {
	t.Parallel()
	ctx := auth.With(t.Context(), &auth.Actor{TenantID: id.New(), Via: auth.ViaWeb})
	imported := auth.As(ctx, func(a *auth.Actor) { a.Via = auth.ViaImport })
	if auth.From(ctx).Via != auth.ViaWeb || auth.From(imported).Via != auth.ViaImport {
		t.Errorf("before %s, after %s", auth.From(ctx).Via, auth.From(imported).Via)
	}
	if got := auth.As(t.Context(), func(*auth.Actor) { t.Error("nobody was changed") }); auth.From(got) != nil {
		t.Error("an actor came from nowhere")
	}
}
