package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/platform/ratelimit"
	"crm/internal/platform/secret"
)

// Visit is where a sign-in comes from. Address is the peer after trusted proxies,
// Device what [Session.Device] gave this browser at an earlier sign-in.
type Visit struct {
	Address, Agent, Device string
}

// fromAddress bounds how many sign-ins may fail from one address, whoever they are
// for: it is what spraying one password over many accounts meets.
var fromAddress = ratelimit.Policy{Quota: 40, Window: 10 * time.Minute}

func (s *Service) addressBucket(v Visit) ratelimit.Bucket {
	return ratelimit.Bucket{Name: "sign_in", Group: ratelimit.AddressGroup(v.Address), Policy: fromAddress}
}

func (s *Service) mayTry(ctx context.Context, v Visit) error {
	if verdict := s.limits.Look(ctx, s.addressBucket(v)); !verdict.Allowed {
		return waiting(verdict.RetryAfter())
	}
	return nil
}

func waiting(wait time.Duration) error {
	e := errs.New(errs.Limited, "wait", "Too many failed attempts. Wait %s and try again, or ask an admin to let you in.", inWords(wait))
	e.RetryAfter = max(wait, time.Second)
	return e
}

func inWords(d time.Duration) string {
	if d <= time.Minute {
		return "a minute"
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// device is what a browser keeps after a sign-in: proof that this person once came
// in from here. Its tries are counted apart, so that strangers who guess at somebody's
// account make only each other wait.
type device struct {
	Tenant uuid.UUID `json:"t"`
	User   uuid.UUID `json:"u"`
	Nonce  string    `json:"n"`
}

const devicePurpose = "identity device"

func (s *Service) newDevice(tenant, user uuid.UUID) (string, error) {
	nonce, _ := secret.Token("")
	raw, err := json.Marshal(device{tenant, user, nonce})
	if err != nil {
		return "", err
	}
	keyID, mark := s.box.Mark(devicePurpose, raw)
	enc := base64.RawURLEncoding
	return enc.EncodeToString(raw) + "." + keyID + "." + enc.EncodeToString(mark), nil
}

// readDevice returns nil for what we did not write.
func (s *Service) readDevice(text string) *device {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	mark, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	var d device
	if err1 != nil || err2 != nil || s.box.CheckMark(devicePurpose, parts[1], raw, mark) != nil || json.Unmarshal(raw, &d) != nil {
		return nil
	}
	return &d
}

// of tells whether the browser belongs to one of the people.
func (d *device) of(list []candidate) bool {
	for _, c := range list {
		if d != nil && d.Tenant == c.tenant && d.User == c.user {
			return true
		}
	}
	return false
}

// passwordKey is what tries of a password are counted under: the address that was
// typed, whoever has it, or the browser that its owner has used before.
func (s *Service) passwordKey(email string, list []candidate, v Visit) []byte {
	if d := s.readDevice(v.Device); d.of(list) {
		return secret.Hash("device " + d.Nonce)
	}
	return addressKey(email)
}

func addressKey(email string) []byte {
	return secret.Hash("password " + strings.ToLower(strings.TrimSpace(email)))
}

// codeKey is what tries of a second factor are counted under, againKey those of
// somebody who is signed in and proves it anew.
func codeKey(user uuid.UUID) []byte  { return secret.Hash("code " + user.String()) }
func againKey(user uuid.UUID) []byte { return secret.Hash("again " + user.String()) }

// try counts one more try and returns how many there are, or the refusal to wait.
func (s *Service) try(ctx context.Context, key []byte) (int, error) {
	var nth int
	var until *time.Time
	err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select nth, wait_until from sign_in_try($1, $2)`, key, s.now().UTC()).Scan(&nth, &until)
	})
	if err == nil && until != nil {
		err = waiting(until.Sub(s.now()))
	}
	return nth, err
}

// forgive forgets the tries of keys, in the transaction of what made up for them.
func forgive(ctx context.Context, tx pgx.Tx, keys ...[]byte) error {
	_, err := tx.Exec(ctx, `select sign_in_forgive($1)`, keys)
	return err
}
