package messaging

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/errs"
	"crm/internal/platform/secret"
	"crm/internal/record"
)

// apply writes the input into p, secrets sealed.
func (s *Service) apply(p *messagingdb.Provider, in ProviderInput) error {
	if in.Name != nil {
		p.Name = strings.TrimSpace(record.CleanText(*in.Name))
	}
	if in.Priority != nil {
		p.Priority = int32(min(max(*in.Priority, 0), 1_000_000))
	}
	if in.State != nil {
		if *in.State != Active && *in.State != Disabled {
			return errs.Field("state", "not_an_option", "State is active or disabled.")
		}
		p.State, p.LastError = *in.State, ""
	}
	if p.Name == "" || len(p.Name) > 200 {
		return errs.Field("name", "required", "Give the provider a name of at most 200 characters.")
	}
	plain := plainSettings(p)
	secrets, err := s.unseal(p)
	if err != nil {
		// The key is gone, so is the secret; entering it anew must still be possible.
		secrets = map[string]string{}
	}
	if err := mergeSettings(p.Type, plain, secrets, in.Settings); err != nil {
		return err
	}
	if err := checkSettings(p.Type, plain, secrets, s.egress); err != nil {
		return err
	}
	plain["secrets_set"] = slices.Sorted(maps.Keys(secrets))
	if p.Settings, err = json.Marshal(plain); err != nil {
		return fmt.Errorf("write provider settings: %w", err)
	}
	return s.seal(p, secrets)
}

func (s *Service) seal(p *messagingdb.Provider, secrets map[string]string) error {
	p.Sealed = nil
	if len(secrets) == 0 {
		return nil
	}
	plain, err := json.Marshal(secrets)
	if err != nil {
		return fmt.Errorf("write provider secrets: %w", err)
	}
	p.Sealed, err = s.box.Seal(placeOf(p), plain)
	return err
}

func (s *Service) unseal(p *messagingdb.Provider) (map[string]string, error) {
	secrets := map[string]string{}
	if len(p.Sealed) == 0 {
		return secrets, nil
	}
	plain, err := s.box.Open(placeOf(p), p.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open the credentials of the provider: %w", err)
	}
	return secrets, json.Unmarshal(plain, &secrets)
}

func placeOf(p *messagingdb.Provider) string {
	return secret.AAD(p.TenantID.String(), "providers", "sealed", p.ID.String())
}
