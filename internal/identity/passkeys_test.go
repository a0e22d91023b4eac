package identity_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	vw "github.com/descope/virtualwebauthn"
	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// phone is a software authenticator with one passkey.
type phone struct {
	rp   vw.RelyingParty
	auth vw.Authenticator
	key  vw.Credential
}

func newPhone() *phone {
	return &phone{rp: vw.RelyingParty{Name: "CRM", ID: "localhost", Origin: "http://localhost:8080"}, auth: vw.NewAuthenticator(), key: vw.NewCredential(vw.KeyTypeEC2)}
}

func asText(t *testing.T, options any) string {
	t.Helper()
	raw, err := json.Marshal(options)
	must(t, err)
	return string(raw)
}

func (p *phone) make(t *testing.T, options any) []byte {
	t.Helper()
	parsed, err := vw.ParseAttestationOptions(asText(t, options))
	must(t, err)
	return []byte(vw.CreateAttestationResponse(p.rp, p.auth, p.key, *parsed))
}

func (p *phone) use(t *testing.T, options any) []byte {
	t.Helper()
	parsed, err := vw.ParseAssertionOptions(asText(t, options))
	must(t, err)
	return []byte(vw.CreateAssertionResponse(p.rp, p.auth, p.key, *parsed))
}

// passkey adds one to the person of ctx.
func (w *world) passkey(t *testing.T, ctx context.Context, name string) (*phone, *identity.Passkey) {
	t.Helper()
	p, a := newPhone(), auth.From(ctx)
	p.auth.Options.UserHandle = append(a.TenantID[:len(a.TenantID):len(a.TenantID)], a.ID[:]...)
	options, state, err := w.BeginPasskey(ctx, password)
	must(t, err)
	made, err := w.FinishPasskey(ctx, state, name, p.make(t, options))
	must(t, err)
	p.auth.AddCredential(p.key)
	return p, made
}

func TestAPasskeySignsIn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	ctx := w.as(t, w.signIn(t, "ada@gamma.test", ""))
	_, _, err := w.BeginPasskey(ctx, wrong)
	fieldCode(t, "an open screen is not enough", err, "wrong")
	p, key := w.passkey(t, ctx, "My phone")
	must(t, w.SetSignInSettings(w.admin, identity.SignInSettings{IdleMinutes: 600, AbsoluteMinutes: 600, MFA: identity.MFAAll, PasswordsOff: true}))
	sign := func() (*identity.Session, error) {
		options, state, err := w.BeginPasskeySignIn(t.Context(), visit)
		must(t, err)
		return w.PasskeySignIn(t.Context(), state, p.use(t, options), visit)
	}
	s, err := sign()
	if err != nil || s.Step != "" || s.Slug != "gamma" || w.who(t, s.Token) == nil {
		t.Fatalf("%+v %v", s, err)
	}
	options, state, err := w.BeginPasskeySignIn(t.Context(), visit)
	must(t, err)
	said := p.use(t, options)
	must(t, second(w.PasskeySignIn(t.Context(), state, said, visit)))
	code(t, "the same answer again", second(w.PasskeySignIn(t.Context(), state, said, visit)), "ceremony_expired")
	_, other, err := w.BeginPasskeySignIn(t.Context(), visit)
	must(t, err)
	code(t, "to another challenge", second(w.PasskeySignIn(t.Context(), other, said, visit)), "passkey_failed")
	code(t, "without a challenge of ours", second(w.PasskeySignIn(t.Context(), "AAAA", said, visit)), "ceremony_expired")
	code(t, "no answer at all", second(w.PasskeySignIn(t.Context(), other, []byte("{}"), visit)), "bad_passkey")

	w.pass(6 * time.Minute)
	code(t, "too late", second(w.PasskeySignIn(t.Context(), other, said, visit)), "ceremony_expired")
	p.key.Counter = 5
	must(t, second(sign()))
	p.key.Counter = 4
	if _, err := sign(); errs.As(err).Code != "passkey_failed" {
		t.Errorf("a copy of the key, which counts backwards: %v", err)
	}
	p.key.Counter = 6
	p.rp.Origin = "https://evil.test"
	if _, err := sign(); errs.As(err).Code != "passkey_failed" {
		t.Errorf("through another site: %v", err)
	}
	p.rp.Origin = "http://localhost:8080"
	code(t, "the last one", w.RemovePasskey(ctx, key.ID, password), "validation_failed")
	must(t, patch(t, w.admin, w.Users, u.ID, record.Patch{"state": "disabled"}))
	if _, err := sign(); errs.As(err).Code != "passkey_failed" {
		t.Errorf("a disabled person: %v", err)
	}
	if n := w.count(t, `select count(*) from sessions where method = 'passkey'`); n != 0 {
		t.Errorf("%d sessions of a disabled person", n)
	}
}

func TestAPasskeyIsASecondFactor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	w.user(t, w.admin, "eve@gamma.test", identity.SalesRep)
	ctx := w.as(t, w.signIn(t, "ada@gamma.test", ""))
	p, key := w.passkey(t, ctx, "My phone")
	eve, _ := w.passkey(t, w.as(t, w.signIn(t, "eve@gamma.test", "")), "Eve's")
	step := w.signIn(t, "ada@gamma.test", "")
	if step.Step != identity.StepCode {
		t.Fatalf("%+v", step)
	}
	options, state, err := w.BeginPasskeyStep(t.Context(), step.Token)
	must(t, err)
	eve.key.ID = p.key.ID
	code(t, "another key with the same name", second(w.PassPasskey(t.Context(), step.Token, state, eve.use(t, options), visit)), "passkey_failed")
	evesStep := w.signIn(t, "eve@gamma.test", "")
	code(t, "at somebody else's door", second(w.PassPasskey(t.Context(), evesStep.Token, state, p.use(t, options), visit)), "ceremony_expired")
	s, err := w.PassPasskey(t.Context(), step.Token, state, p.use(t, options), visit)
	must(t, err)
	if w.who(t, s.Token) == nil {
		t.Error("not in")
	}
	f, err := w.Factors(ctx)
	if err != nil || len(f.Passkeys) != 1 || f.Passkeys[0].Name != "My phone" || f.Passkeys[0].LastUsedAt == nil {
		t.Errorf("%+v %v", f, err)
	}
	code(t, "one that is not", w.RemovePasskey(ctx, uuid.New(), password), "not_found")
	must(t, w.RemovePasskey(ctx, key.ID, password))
	if s := w.signIn(t, "ada@gamma.test", ""); s.Step != "" {
		t.Errorf("%+v", s)
	}
}
