package identityhttp

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
)

var (
	sessionSchema = rest.Obj(map[string]rest.Schema{
		"id": rest.UUID, "device": rest.Str, "address": rest.Str, "method": rest.Str, "created_at": rest.Time, "seen_at": rest.Time, "expires_at": rest.Time, "current": rest.Bool,
	}, "id", "device", "address", "method", "created_at", "seen_at", "expires_at", "current")
	endedSchema    = rest.Obj(map[string]rest.Schema{"ended": rest.Int}, "ended")
	standingSchema = rest.Obj(map[string]rest.Schema{
		"sessions": rest.Int, "has_password": rest.Bool, "app": rest.Bool, "passkeys": rest.Int, "failed_tries": rest.Int, "waiting_until": rest.Nullable(rest.Time), "last_seen_at": rest.Nullable(rest.Time),
	}, "sessions", "has_password", "app", "passkeys", "failed_tries", "waiting_until", "last_seen_at")
	linkSchema     = rest.Obj(map[string]rest.Schema{"url": rest.Str, "mailed": rest.Bool, "expires_at": rest.Time}, "url", "mailed", "expires_at")
	settingsSchema = rest.Obj(map[string]rest.Schema{
		"idle_minutes": rest.Int, "absolute_minutes": rest.Int, "mfa": {"type": "string", "enum": []any{identity.MFAOptional, identity.MFARoles, identity.MFAAll}}, "mfa_roles": rest.Array(rest.UUID), "passwords_off": rest.Bool,
	}, "idle_minutes", "absolute_minutes", "mfa", "mfa_roles", "passwords_off")
)

// signInRoutes are the calls about sessions and ways to sign in.
func (a *API) signInRoutes() []rest.Route {
	user := map[string]string{"id": "user"}
	return []rest.Route{
		{
			Method: "GET", Path: "/me/sessions", Name: "me.sessions", Summary: "Where the caller is signed in", Tag: "identity",
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(sessionSchema)}, "data"), Handle: a.sessions,
		},
		{
			Method: "DELETE", Path: "/me/sessions/{id}", Name: "me.sessions.end", Summary: "Sign out of one of the caller's sessions", Tag: "identity", Status: 204,
			IDs: map[string]string{"id": "session"}, Handle: a.endSession,
		},
		{
			Method: "POST", Path: "/me/sessions/end_others", Name: "me.sessions.end_others", Summary: "Sign out everywhere but here", Tag: "identity",
			Answer: endedSchema, Handle: a.endOtherSessions,
		},
		{
			Method: "GET", Path: "/users/{id}/sign_in", Name: "users.sign_in", Summary: "How a user's way in stands: sessions, failed tries, waiting", Tag: "identity", Object: "user", Action: auth.Update,
			IDs: user, Answer: standingSchema, Handle: a.standing,
		},
		{
			Method: "POST", Path: "/users/{id}/let_in", Name: "users.let_in", Summary: "Forget failed tries, so that the user need not wait", Tag: "identity", Object: "user", Action: auth.Update, Status: 204,
			IDs: user, Handle: a.letIn,
		},
		{
			Method: "POST", Path: "/users/{id}/sign_out", Name: "users.sign_out", Summary: "Sign a user out everywhere", Tag: "identity", Object: "user", Action: auth.Update,
			IDs: user, Answer: endedSchema, Handle: a.signOutUser,
		},
		{
			Method: "POST", Path: "/users/{id}/reset_mfa", Name: "users.reset_mfa", Summary: "Take a user's second factors away and sign them out", Tag: "identity", Object: "user", Action: auth.Update, Status: 204,
			IDs: user, Handle: a.resetMFA,
		},
		{
			Method: "POST", Path: "/users/invite", Name: "users.invite", Summary: "Make a user and a link by which they choose a password", Tag: "identity", Object: "user", Action: auth.Create, Status: 201,
			Body:   rest.Obj(map[string]rest.Schema{"email": rest.Str, "name": rest.Str, "role": rest.Str, "team_id": rest.UUID, "time_zone": rest.Str}, "email", "role"),
			Answer: rest.Obj(map[string]rest.Schema{"user_id": rest.UUID, "url": rest.Str, "mailed": rest.Bool, "expires_at": rest.Time}, "user_id", "url", "mailed", "expires_at"), Handle: a.invite,
		},
		{
			Method: "POST", Path: "/users/{id}/invite", Name: "users.invite_again", Summary: "A new link for somebody who was invited and has not come", Tag: "identity", Object: "user", Action: auth.Update,
			IDs: user, Answer: linkSchema, Handle: a.link(a.s.InviteAgain),
		},
		{
			Method: "POST", Path: "/users/{id}/reset_link", Name: "users.reset_link", Summary: "A link by which a user chooses a new password", Tag: "identity", Object: "user", Action: auth.Update,
			IDs: user, Answer: linkSchema, Handle: a.link(a.s.ResetLink),
		},
		{
			Method: "GET", Path: "/sign_in_settings", Name: "sign_in_settings.get", Summary: "How people of the tenant sign in", Tag: "identity", Object: "tenant", Action: auth.Read,
			Answer: settingsSchema, Handle: a.signInSettings,
		},
		{
			Method: "PUT", Path: "/sign_in_settings", Name: "sign_in_settings.set", Summary: "Change how people of the tenant sign in", Tag: "identity", Object: "tenant", Action: auth.Update,
			Body: settingsSchema, Answer: settingsSchema, Handle: a.setSignInSettings,
		},
	}
}

func (a *API) sessions(w http.ResponseWriter, r *http.Request) error {
	list, err := a.s.Sessions(r.Context())
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, map[string]any{"data": list})
}

func (a *API) endSession(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := a.s.EndSession(r.Context(), id); err != nil {
		return err
	}
	return rest.NoContent(w)
}

func (a *API) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	n, err := a.s.EndOtherSessions(r.Context())
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, map[string]any{"ended": n})
}

func (a *API) standing(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	out, err := a.s.Standing(r.Context(), id)
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, out)
}

func (a *API) letIn(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := a.s.LetIn(r.Context(), id); err != nil {
		return err
	}
	return rest.NoContent(w)
}

func (a *API) signOutUser(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	n, err := a.s.EndSessionsOf(r.Context(), id)
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, map[string]any{"ended": n})
}

func (a *API) signInSettings(w http.ResponseWriter, r *http.Request) error {
	out, err := a.s.SignInSettings(r.Context())
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, out)
}

func (a *API) setSignInSettings(w http.ResponseWriter, r *http.Request) error {
	var in identity.SignInSettings
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	if err := a.s.SetSignInSettings(r.Context(), in); err != nil {
		return err
	}
	return a.signInSettings(w, r)
}

func (a *API) invite(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Email    string     `json:"email"`
		Name     string     `json:"name"`
		Role     string     `json:"role"`
		TeamID   *uuid.UUID `json:"team_id"`
		TimeZone string     `json:"time_zone"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	u, link, err := a.s.Invite(r.Context(), identity.NewUser{Email: in.Email, Name: in.Name, Role: in.Role, TeamID: in.TeamID, TimeZone: in.TimeZone})
	if err != nil {
		return err
	}
	return rest.JSON(w, 201, map[string]any{"user_id": u.ID, "url": link.URL, "mailed": link.Mailed, "expires_at": link.ExpiresAt})
}

func (a *API) link(fresh func(context.Context, uuid.UUID) (*identity.Link, error)) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := rest.PathID(r, "id")
		if err != nil {
			return err
		}
		link, err := fresh(r.Context(), id)
		if err != nil {
			return err
		}
		return rest.JSON(w, 200, link)
	}
}

func (a *API) resetMFA(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := a.s.ResetMFA(r.Context(), id); err != nil {
		return err
	}
	return rest.NoContent(w)
}
