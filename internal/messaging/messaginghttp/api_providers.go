package messaginghttp

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"crm/internal/messaging"
	"crm/internal/platform/rest"
)

// provider is the JSON form of a provider. It has no place for a secret.
type provider struct {
	ID         uuid.UUID      `json:"id"`
	Name       string         `json:"name"`
	Channel    string         `json:"channel"`
	Type       string         `json:"type"`
	Priority   int            `json:"priority"`
	Settings   map[string]any `json:"settings"`
	SecretsSet []string       `json:"secrets_set"`
	State      string         `json:"state"`
	LastError  *string        `json:"last_error"`
	CheckedAt  *time.Time     `json:"checked_at"`
	CreatedAt  time.Time      `json:"created_at"`
	UpdatedAt  time.Time      `json:"updated_at"`
	Version    int64          `json:"version"`
}

func asJSON(p *messaging.Provider) provider {
	return provider{
		ID: p.ID, Name: p.Name, Channel: p.Channel, Type: p.Type, Priority: p.Priority, Settings: p.Settings, SecretsSet: p.SecretsSet,
		State: p.State, LastError: orNull(p.LastError), CheckedAt: p.CheckedAt, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

type providerInput struct {
	Name     *string        `json:"name"`
	Channel  *string        `json:"channel"`
	Type     *string        `json:"type"`
	Priority *int           `json:"priority"`
	Settings map[string]any `json:"settings"`
	State    *string        `json:"state"`
}

func (h *HTTP) providers(w http.ResponseWriter, r *http.Request) error {
	list, err := h.messaging.Providers(r.Context())
	if err != nil {
		return err
	}
	out := make([]provider, len(list))
	for i, p := range list {
		out[i] = asJSON(p)
	}
	return rest.JSON(w, http.StatusOK, map[string]any{"data": out, "next_cursor": nil})
}

func (h *HTTP) createProvider(w http.ResponseWriter, r *http.Request) error {
	var in providerInput
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	p, err := h.messaging.CreateProvider(r.Context(), messaging.ProviderInput(in))
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/providers/"+p.ID.String())
	return answerProvider(w, http.StatusCreated, p)
}

func answerProvider(w http.ResponseWriter, status int, p *messaging.Provider) error {
	w.Header().Set("ETag", rest.ETag(p.Version))
	return rest.JSON(w, status, asJSON(p))
}

func (h *HTTP) provider(w http.ResponseWriter, r *http.Request) error {
	provider, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	p, err := h.messaging.Provider(r.Context(), provider)
	if err != nil {
		return err
	}
	return answerProvider(w, http.StatusOK, p)
}

func (h *HTTP) updateProvider(w http.ResponseWriter, r *http.Request) error {
	provider, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	version, err := rest.IfMatch(r)
	if err != nil {
		return err
	}
	var in providerInput
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	p, err := h.messaging.UpdateProvider(r.Context(), provider, version, messaging.ProviderInput(in))
	if err != nil {
		return err
	}
	return answerProvider(w, http.StatusOK, p)
}

func (h *HTTP) deleteProvider(w http.ResponseWriter, r *http.Request) error {
	provider, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := h.messaging.DeleteProvider(r.Context(), provider); err != nil {
		return err
	}
	return rest.NoContent(w)
}

func (h *HTTP) testProvider(w http.ResponseWriter, r *http.Request) error {
	provider, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	check, err := h.messaging.TestProvider(r.Context(), provider)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, map[string]any{"ok": check.OK, "step": orNull(check.Step), "message": orNull(check.Message)})
}
