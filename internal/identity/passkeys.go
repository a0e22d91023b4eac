package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/secret"
)

// ceremonyLife is how long a begun ceremony waits for the browser.
const ceremonyLife = 5 * time.Minute

// Purposes of a ceremony: an answer to one is none to another.
const (
	toAdd    = "add"
	toSignIn = "sign in"
	toPass   = "pass" // as the second factor of a begun sign-in
)

var (
	errPasskey   = errs.New(errs.Unauthenticated, "passkey_failed", "This passkey is not known here. Sign in another way, then add it on your account page.")
	errNoPasskey = errs.New(errs.Conflict, "passkeys_off", "Passkeys need this installation to have a name: set CRM_BASE_URL to an address like https://crm.company.com.")
)

// relyingParty is this installation as authenticators know it: bound to the host of its
// public address. nil when that is no name, since browsers then have no passkeys.
func relyingParty(base string) *webauthn.WebAuthn {
	u, err := url.Parse(base)
	if err != nil || strings.Trim(u.Hostname(), "0123456789.:") == "" {
		return nil
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: "CRM", RPOrigins: []string{u.Scheme + "://" + u.Host}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired},
	})
	if err != nil {
		return nil
	}
	return w
}

// keyOwner is a user as the library wants one. The handle that authenticators keep is
// tenant and user: a sign-in by passkey begins with nothing else.
type keyOwner struct {
	tenant, user uuid.UUID
	name, email  string
	keys         []webauthn.Credential
	ids          []uuid.UUID
}

func (o *keyOwner) WebAuthnID() []byte {
	return append(o.tenant[:len(o.tenant):len(o.tenant)], o.user[:]...)
}
func (o *keyOwner) WebAuthnName() string                       { return o.email }
func (o *keyOwner) WebAuthnDisplayName() string                { return o.name }
func (o *keyOwner) WebAuthnCredentials() []webauthn.Credential { return o.keys }

func ownerOf(handle []byte) (tenant, user uuid.UUID, ok bool) {
	if len(handle) != 32 {
		return tenant, user, false
	}
	return uuid.UUID(handle[:16]), uuid.UUID(handle[16:]), true
}

// keyOwner loads somebody with their passkeys.
func (s *Service) keyOwner(ctx context.Context, tenant, user uuid.UUID) (*keyOwner, error) {
	o := &keyOwner{tenant: tenant, user: user}
	ctx = auth.With(ctx, auth.SystemActor(tenant))
	err := s.db.ReadMany(ctx, []db.Query{
		{SQL: `select name, coalesce(email, '') from users where tenant_id = app_tenant() and id = $1`, Args: []any{user}},
		{SQL: `select id, credential from passkeys where tenant_id = app_tenant() and user_id = $1`, Args: []any{user}},
	}, func(i int, rows pgx.Rows) error {
		for rows.Next() {
			var k webauthn.Credential
			var kid uuid.UUID
			if err := rows.Scan([][]any{{&o.name, &o.email}, {&kid, &k}}[i]...); err != nil {
				return err
			}
			if i == 1 {
				o.keys, o.ids = append(o.keys, k), append(o.ids, kid)
			}
		}
		return nil
	})
	return o, err
}

// ceremony is what the server has to remember while the browser asks the person. It
// travels in a cookie, sealed; an answer counts once, see answered.
type ceremony struct {
	Session webauthn.SessionData `json:"session"`
	Expires time.Time            `json:"expires"`
}

// keep seals a ceremony. who binds it to the person or the step it is for.
func (s *Service) keep(purpose, who string, d *webauthn.SessionData) (string, error) {
	raw, err := json.Marshal(ceremony{*d, s.now().Add(ceremonyLife)})
	if err != nil {
		return "", err
	}
	sealed, err := s.box.Seal(secret.AAD("passkey ceremony", purpose, who), raw)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

var errCeremony = errs.New(errs.Conflict, "ceremony_expired", "This took too long. Try again.")

func (s *Service) kept(purpose, who, state string) (*webauthn.SessionData, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil {
		return nil, errCeremony
	}
	raw, err := s.box.Open(secret.AAD("passkey ceremony", purpose, who), sealed)
	var c ceremony
	if err != nil || json.Unmarshal(raw, &c) != nil || s.now().After(c.Expires) {
		return nil, errCeremony
	}
	return &c.Session, nil
}

// answered lets a challenge be answered once.
func (s *Service) answered(ctx context.Context, tx pgx.Tx, d *webauthn.SessionData) error {
	now := s.now().UTC()
	tag, err := tx.Exec(ctx, `insert into sign_in_tickets (tenant_id, id, kind, token_hash, created_at, expires_at, used_at) values (app_tenant(), $1, 'answered', $2, $3, $4, $3)
	  on conflict on constraint sign_in_tickets_token_hash_key do nothing`, id.New(), secret.Hash("challenge "+d.Challenge), now, now.Add(ceremonyLife))
	if err == nil && tag.RowsAffected() == 0 {
		err = errCeremony
	}
	return err
}

// BeginPasskey asks the actor's browser for a new passkey: options for it, and the
// state to give back.
func (s *Service) BeginPasskey(ctx context.Context, proof string) (any, string, error) {
	if s.web == nil {
		return nil, "", errNoPasskey
	}
	e, err := s.prove(ctx, proof)
	if err != nil {
		return nil, "", err
	}
	o, err := s.keyOwner(ctx, e.tenant, e.user)
	if err != nil {
		return nil, "", err
	}
	options, d, err := s.web.BeginRegistration(o, webauthn.WithExclusions(webauthn.Credentials(o.keys).CredentialDescriptors()))
	if err != nil {
		return nil, "", err
	}
	state, err := s.keep(toAdd, e.user.String(), d)
	return options, state, err
}

// FinishPasskey takes the passkey the browser made.
func (s *Service) FinishPasskey(ctx context.Context, state, name string, answer []byte) (*Passkey, error) {
	a, err := own(ctx)
	if err != nil {
		return nil, err
	}
	if s.web == nil {
		return nil, errNoPasskey
	}
	if name = strings.TrimSpace(name); name == "" || len(name) > 200 {
		return nil, errs.Field("name", "required", "Give the passkey a name, such as My phone.")
	}
	d, err := s.kept(toAdd, a.ID.String(), state)
	if err != nil {
		return nil, err
	}
	o, err := s.keyOwner(ctx, a.TenantID, a.ID)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "bad_passkey", "The browser's answer could not be read.")
	}
	made, err := s.web.CreateCredential(o, *d, parsed)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "bad_passkey", "This passkey could not be checked. Try again, or use another.")
	}
	k := &Passkey{ID: id.New(), Name: name, CreatedAt: s.now().UTC()}
	return k, s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.answered(ctx, tx, d); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into passkeys (tenant_id, id, user_id, name, credential_id, credential, created_at) values (app_tenant(), $1, $2, $3, $4, $5, $6)`, k.ID, a.ID, k.Name, made.ID, made, k.CreatedAt)
		if err != nil {
			return err
		}
		_, err = s.k.Emit(ctx, tx, "user", a.ID, "passkey_added", map[string]any{"name": name})
		return err
	})
}

// RemovePasskey takes one of the actor's passkeys away, unless it is the last second
// factor of somebody who must have one.
func (s *Service) RemovePasskey(ctx context.Context, key uuid.UUID, proof string) error {
	a, err := own(ctx)
	if err != nil {
		return err
	}
	f, err := s.factorsOf(ctx, a.ID)
	if err != nil {
		return err
	}
	if f.Required && !f.App && len(f.Passkeys) == 1 {
		return errs.Field("proof", "required", "Your workspace asks for a second factor. Set up an app or another passkey first.")
	}
	if _, err := s.prove(ctx, proof); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `delete from passkeys where tenant_id = app_tenant() and user_id = $1 and id = $2`, a.ID, key)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errs.Missing("passkey")
		}
		_, err = s.k.Emit(ctx, tx, "user", a.ID, "passkey_removed", nil)
		return err
	})
}

// BeginPasskeySignIn asks for any passkey of this installation.
func (s *Service) BeginPasskeySignIn(ctx context.Context, v Visit) (any, string, error) {
	if s.web == nil {
		return nil, "", errNoPasskey
	}
	if err := s.mayTry(ctx, v); err != nil {
		return nil, "", err
	}
	options, d, err := s.web.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, "", err
	}
	state, err := s.keep(toSignIn, "", d)
	return options, state, err
}

// PasskeySignIn lets somebody in by a passkey. The device has checked the person, so it
// counts as both factors.
func (s *Service) PasskeySignIn(ctx context.Context, state string, answer []byte, v Visit) (*Session, error) {
	if s.web == nil {
		return nil, errNoPasskey
	}
	if err := s.mayTry(ctx, v); err != nil {
		return nil, err
	}
	d, err := s.kept(toSignIn, "", state)
	if err != nil {
		return nil, err
	}
	e, err := s.answer(ctx, d, answer, nil)
	if err != nil {
		if errs.KindOf(err) == errs.Unauthenticated {
			s.limits.Take(ctx, s.addressBucket(v))
		}
		return nil, err
	}
	e.strong = true
	return s.admit(ctx, *e, v)
}

// BeginPasskeyStep asks for a passkey of whoever stands at the door.
func (s *Service) BeginPasskeyStep(ctx context.Context, token string) (any, string, error) {
	_, e, err := s.atDoor(ctx, token, StepCode)
	if err != nil {
		return nil, "", err
	}
	o, err := s.keyOwner(ctx, e.tenant, e.user)
	if err != nil {
		return nil, "", err
	}
	if s.web == nil || len(o.keys) == 0 {
		return nil, "", errs.New(errs.Conflict, "no_passkey", "You have no passkey here. Enter a code.")
	}
	options, d, err := s.web.BeginLogin(o)
	if err != nil {
		return nil, "", err
	}
	state, err := s.keep(toPass, e.user.String(), d)
	return options, state, err
}

// PassPasskey takes a passkey as the second factor.
func (s *Service) PassPasskey(ctx context.Context, token, state string, answer []byte, v Visit) (*Session, error) {
	t, e, err := s.atDoor(ctx, token, StepCode)
	if err != nil {
		return nil, err
	}
	if s.web == nil {
		return nil, errNoPasskey
	}
	d, err := s.kept(toPass, e.user.String(), state)
	if err != nil {
		return nil, err
	}
	if _, err := s.answer(ctx, d, answer, e); err != nil {
		return nil, err
	}
	return s.pass(person(ctx, e.tenant, e.user), t, e, v, nil)
}

// answer checks what the browser says to a challenge and finds whose passkey it is.
// at is who it must belong to; nil = anybody.
func (s *Service) answer(ctx context.Context, d *webauthn.SessionData, raw []byte, at *entry) (*entry, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(raw)
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "bad_passkey", "The browser's answer could not be read.")
	}
	var o *keyOwner
	var used *webauthn.Credential
	if at != nil {
		if o, err = s.keyOwner(ctx, at.tenant, at.user); err == nil {
			used, err = s.web.ValidateLogin(o, *d, parsed)
		}
	} else {
		_, used, err = s.web.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
			tenant, user, ok := ownerOf(handle)
			if !ok {
				return nil, errPasskey
			}
			o, err = s.keyOwner(ctx, tenant, user)
			return o, err
		}, *d, parsed)
	}
	if err != nil || o == nil || used.Authenticator.CloneWarning {
		return nil, errs.Wrap(err, errs.Unauthenticated, errPasskey.Code, "%s", errPasskey.Message)
	}
	a, err := s.userActor(ctx, o.tenant, o.user)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, errPasskey
	}
	e := &entry{candidate: candidate{tenant: o.tenant, user: o.user}, method: ByPasskey}
	return e, s.db.Tx(person(ctx, o.tenant, o.user), func(ctx context.Context, tx pgx.Tx) error {
		if err := s.answered(ctx, tx, d); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update passkeys set credential = $2, last_used_at = $3 where tenant_id = app_tenant() and credential_id = $1`, used.ID, used, s.now().UTC()); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select slug from tenants where id = app_tenant()`).Scan(&e.slug)
	})
}
