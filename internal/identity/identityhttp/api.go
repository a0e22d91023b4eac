// Package identityhttp is identity's edge: REST for API keys and the caller, and
// the pages for signing in, users and keys.
package identityhttp

import (
	"net/http"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
)

// API serves identity's calls beyond the generic ones on users, teams and roles.
type API struct {
	s *identity.Service
}

// NewAPI makes the API of a service.
func NewAPI(s *identity.Service) *API { return &API{s: s} }

var keySchema = rest.Obj(map[string]rest.Schema{
	"id": rest.UUID, "name": rest.Str, "role": rest.Str, "prefix": rest.Str, "token": rest.Str, "created_at": rest.Time,
	"last_used_at": rest.Nullable(rest.Time), "expires_at": rest.Nullable(rest.Time), "revoked_at": rest.Nullable(rest.Time),
}, "id", "name", "role", "prefix", "created_at")

// Routes is identity's part of the route table.
func (a *API) Routes() []rest.Route {
	return append(a.signInRoutes(), []rest.Route{
		{
			Method: "GET", Path: "/me", Name: "me", Summary: "Who the caller is and what it may do", Tag: "identity",
			Answer: rest.Obj(map[string]rest.Schema{"kind": rest.Str, "id": rest.UUID, "name": rest.Str, "role": rest.Str, "tenant_id": rest.UUID, "grants": {"type": "object"}}, "kind", "id", "tenant_id"), Handle: a.me,
		},
		{
			Method: "GET", Path: "/api_keys", Name: "api_keys.list", Summary: "List API keys", Tag: "identity", Object: "api_key", Action: auth.Read,
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(keySchema)}, "data"), Handle: a.listKeys,
		},
		{
			Method: "POST", Path: "/api_keys", Name: "api_keys.create", Summary: "Create an API key; its token is shown once", Tag: "identity", Object: "api_key", Action: auth.Create, Status: 201,
			Body: rest.Obj(map[string]rest.Schema{"name": rest.Str, "role": rest.Str}, "name"), Answer: keySchema, Handle: a.createKey,
		},
		{
			Method: "DELETE", Path: "/api_keys/{id}", Name: "api_keys.revoke", Summary: "Revoke an API key", Tag: "identity", Object: "api_key", Action: auth.Delete, Status: 204,
			IDs: map[string]string{"id": "api_key"}, Handle: a.revokeKey,
		},
	}...)
}

func (a *API) me(w http.ResponseWriter, r *http.Request) error {
	actor, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	grants := map[string]string{}
	for k, s := range actor.Grants {
		grants[k] = s.String()
	}
	return rest.JSON(w, 200, map[string]any{"kind": actor.Kind, "id": actor.ID, "name": actor.Name, "role": actor.Role, "tenant_id": actor.TenantID, "grants": grants})
}

func (a *API) listKeys(w http.ResponseWriter, r *http.Request) error {
	keys, err := a.s.APIKeys(r.Context())
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, map[string]any{"data": keys})
}

func (a *API) createKey(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name string `json:"name"`
		Role string `json:"role"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	if in.Name == "" {
		return errs.Field("name", "required", "A key needs a name that tells what uses it.")
	}
	key, err := a.s.CreateAPIKey(r.Context(), in.Name, in.Role)
	if err != nil {
		return err
	}
	return rest.JSON(w, 201, key)
}

func (a *API) revokeKey(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := a.s.RevokeAPIKey(r.Context(), id); err != nil {
		return err
	}
	return rest.NoContent(w)
}
