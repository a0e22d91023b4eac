package messaging

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/secret"
	"crm/internal/record"
)

// mintLink makes the token of a message's unsubscribe link.
func (s *Service) mintLink(ctx context.Context, q *messagingdb.Queries, message uuid.UUID, now time.Time) (string, error) {
	token, hash := secret.Token("")
	sealed, err := s.box.Seal(placeOfLink(ctx, message), []byte(token))
	if err != nil {
		return "", fmt.Errorf("seal the unsubscribe link: %w", err)
	}
	return token, q.PutUnsubscribeToken(ctx, messagingdb.PutUnsubscribeTokenParams{
		TenantID: tenantOf(ctx), MessageID: message, Hash: hash, Sealed: sealed, CreatedAt: now,
	})
}

func placeOfLink(ctx context.Context, message uuid.UUID) string {
	return secret.AAD(tenantOf(ctx).String(), "unsubscribe_tokens", "sealed", message.String())
}

// fillLink puts the token where the stored text has only a mark.
func (s *Service) fillLink(ctx context.Context, q *messagingdb.Queries, o *outgoing) error {
	if o.class != Marketing && !strings.Contains(o.text, linkMark) && !strings.Contains(o.html, linkMark) {
		return nil
	}
	sealed, err := q.UnsubscribeToken(ctx, messagingdb.UnsubscribeTokenParams{TenantID: tenantOf(ctx), MessageID: o.id})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	plain, err := s.box.Open(placeOfLink(ctx, o.id), sealed)
	token := string(plain)
	if err != nil { // the key it was sealed with is gone; the message needs a link that works
		if token, err = s.mintLink(ctx, q, o.id, o.at); err != nil {
			return err
		}
	}
	path := "/u/" + token
	o.text, o.html = strings.ReplaceAll(o.text, linkMark, path), strings.ReplaceAll(o.html, linkMark, path)
	o.unsubscribe = s.baseURL + path
	return nil
}

// Subscription is what the holder of a link may know: whose address it is, masked,
// in whose mail, and whether it is unsubscribed.
type Subscription struct {
	Tenant       string
	Address      string
	Channel      string
	Unsubscribed bool
}

// errNoLink looks the same for a made-up token and one of a tenant that is gone.
var errNoLink = errs.New(errs.NotFound, "unknown_link", "This link does not work any more. Reply to the message to unsubscribe.")

const tenantName = `select name from tenants where id = app_tenant()`

// Subscription shows what a link is about; it changes nothing.
func (s *Service) Subscription(ctx context.Context, token string) (*Subscription, error) {
	var out *Subscription
	err := s.onLink(ctx, token, func(ctx context.Context, tx pgx.Tx, m *Message) error {
		out = &Subscription{Address: mask(m.ToAddress), Channel: m.Channel}
		if err := tx.QueryRow(ctx, tenantName).Scan(&out.Tenant); err != nil {
			return err
		}
		sup, err := s.suppressionOf(ctx, m.Channel, m.ToAddress)
		out.Unsubscribed = sup != nil
		return err
	})
	return out, err
}

// Unsubscribe puts the address of the message on the suppression list. Doing it
// again is fine: mail programs do.
func (s *Service) Unsubscribe(ctx context.Context, token string) error {
	return s.onLink(ctx, token, func(ctx context.Context, tx pgx.Tx, m *Message) error {
		known, err := s.suppressionOf(ctx, m.Channel, m.ToAddress)
		if err != nil || known != nil {
			return err
		}
		if err := s.suppress(ctx, tx, &Suppression{Address: m.ToAddress, Channel: m.Channel, Reason: Unsubscribed, Source: "message " + m.ID.String()}); err != nil {
			return err
		}
		return s.told(ctx, m, "unsubscribed")
	})
}

// Resubscribe takes an unsubscription back; other reasons stay.
func (s *Service) Resubscribe(ctx context.Context, token string) error {
	return s.onLink(ctx, token, func(ctx context.Context, _ pgx.Tx, m *Message) error {
		known, err := s.suppressionOf(ctx, m.Channel, m.ToAddress)
		if err != nil || known == nil || known.Reason != Unsubscribed {
			return err
		}
		if _, err := s.Suppressions.One(ctx, record.Operation{Kind: record.OpDelete, ID: known.ID}); err != nil {
			return err
		}
		return s.told(ctx, m, "resubscribed")
	})
}

// told puts a word on the timeline of the message and its person.
func (s *Service) told(ctx context.Context, m *Message, act string) error {
	_, err := s.Messages.Change(ctx, m.ID, record.Act{Name: act}, func(context.Context, pgx.Tx, *Message) error { return nil })
	return err
}

// onLink finds the tenant and message of a token and runs fn as the recipient, who
// may do this and nothing else.
func (s *Service) onLink(ctx context.Context, token string, fn func(context.Context, pgx.Tx, *Message) error) error {
	var tenant, message uuid.UUID
	err := s.k.DB.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select tenant_id, message_id from unsubscribe_target($1)`, secret.Hash(token)).Scan(&tenant, &message)
	})
	if errs.KindOf(err) == errs.NotFound {
		return errNoLink
	}
	if err != nil {
		return err
	}
	ctx = auth.With(ctx, &auth.Actor{
		Kind: auth.System, TenantID: tenant, Name: "recipient", Role: "recipient", Via: auth.ViaForm,
		Grants: auth.Grants{
			"message:read": auth.All, "message:update": auth.All,
			"suppression:read": auth.All, "suppression:create": auth.All, "suppression:update": auth.All, "suppression:delete": auth.All,
		},
	})
	return s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		m, err := s.Messages.Get(ctx, message)
		if err != nil {
			return err
		}
		return fn(ctx, tx, m)
	})
}

// mask shows enough of an address to recognise one's own.
func mask(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return "•••" + address[max(0, len(address)-3):]
	}
	return local[:1] + "•••@" + domain
}
