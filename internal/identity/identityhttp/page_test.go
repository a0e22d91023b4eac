package identityhttp_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"crm/internal/identity"
	"crm/internal/identity/identityhttp"
	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/record/recordpage/pagetest"
	"crm/internal/record/recordtest"
)

const (
	adminMail = "ada@gamma.test"
	password  = "correct horse battery"
)

// site has one workspace, "gamma", with an admin who signs in for real.
func site(t *testing.T, options ...func(*identity.Deps)) (*pagetest.World, *identity.Service) {
	t.Helper()
	e := recordtest.New(t)
	d := identity.Deps{Kernel: e.K, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for _, o := range options {
		o(&d)
	}
	s, err := identity.New(d)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := s.CreateTenant(t.Context(), identity.Tenant{Name: "Gamma", Slug: "gamma", Currency: "EUR", TimeZone: "Europe/Berlin"})
	if err != nil {
		t.Fatal(err)
	}
	sys := auth.With(t.Context(), auth.SystemActor(tenant.ID))
	for _, u := range []identity.NewUser{{Name: "Ada Admin", Email: adminMail, Role: identity.TenantAdmin, Password: password}, {Name: "Rita Rep", Email: "rita@gamma.test", Role: identity.SalesRep, Password: password}} {
		if _, err := s.CreateUser(sys, u); err != nil {
			t.Fatal(err)
		}
	}
	w := pagetest.New(t, e)
	p := identityhttp.NewPages(identityhttp.PageDeps{Shell: w.Shell, Service: s, Now: time.Now})
	w.Outside, w.Inside = append(w.Outside, p.MountOutside), append(w.Inside, p.MountInside)
	w.Session = func(r *http.Request) *auth.Actor {
		c, err := r.Cookie(page.SessionCookie(false))
		if err != nil {
			return nil
		}
		a, err := s.BySession(r.Context(), c.Value)
		if err != nil && r.Context().Err() == nil { // a browser that goes away takes its request along
			t.Error(err)
		}
		return a
	}
	w.Serve(t)
	return w, s
}

func signIn(t *testing.T, b *pagetest.Browser, mail, secret string) {
	t.Helper()
	if a := b.Post("/sign-in", "email", mail, "password", secret); a.Status != 303 || a.Location != "/gamma/home" {
		t.Fatalf("sign in: %d %s %.300s", a.Status, a.Location, a.Text)
	}
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	b := w.As(t, t.Context())
	if a := b.Get("/"); a.Location != "/sign-in" {
		t.Errorf("/ leads to %s", a.Location)
	}
	b.Get("/sign-in?next=/gamma/users").Is(200, "Sign in", `name="next" value="/gamma/users"`)
	b.Get("/sign-in?next=//evil.test").Is(200).Lacks("evil")
	wrong := b.Post("/sign-in", "email", adminMail, "password", "wrong wrong wrong").Is(422, "do not match", `value="`+adminMail+`"`).Lacks("wrong wrong")
	unknown := b.Post("/sign-in", "email", "no@gamma.test", "password", "wrong wrong wrong").Is(422)
	if strings.ReplaceAll(wrong.Text, adminMail, "") != strings.ReplaceAll(unknown.Text, "no@gamma.test", "") {
		t.Error("unknown and wrong read differently")
	}
	for next, want := range map[string]string{"/gamma/users?q=x": "/gamma/users?q=x", "//evil.test": "/gamma/home", "/other/home": "/gamma/home", "https://evil.test": "/gamma/home", "/account": "/account"} {
		a := w.As(t, t.Context()).Post("/sign-in", "email", adminMail, "password", password, "next", next)
		if a.Status != 303 || a.Location != want {
			t.Errorf("next %q: %d %s", next, a.Status, a.Location)
		}
	}
	signIn(t, b, adminMail, password)
	b.Get("/gamma/users").Is(200, "Rita Rep", "Ada Admin", "Tenant admin")
	out := b.Post("/sign-out")
	if out.Status != 303 || out.Location != "/sign-in" || out.Header.Get("Clear-Site-Data") == "" {
		t.Errorf("sign out: %d %s", out.Status, out.Location)
	}
	if a := b.Get("/gamma/users"); a.Status != 303 {
		t.Errorf("after signing out: %d", a.Status)
	}
}

func TestOwnAccount(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	b, elsewhere := w.As(t, t.Context()), w.As(t, t.Context())
	signIn(t, b, "rita@gamma.test", password)
	signIn(t, elsewhere, "rita@gamma.test", password)
	b.Get("/account").Is(200, "My account", "Rita Rep", "Time zone")
	b.Post("/account", "name", "", "time_zone", "UTC").Is(422, "Name is needed.")
	b.Post("/account", "name", "Rita", "time_zone", "Mars/Base").Is(422, "Choose a time zone")
	b.Follow(b.Post("/account", "name", "Rita Real", "time_zone", "Asia/Tokyo")).Is(200, "Saved.", "Rita Real")
	b.Post("/account/password", "current", "not this one at all", "password", "another long secret").Is(422, "not your password now")
	b.Post("/account/password", "current", password, "password", "short").Is(422, "A password has")
	b.Follow(b.Post("/account/password", "current", password, "password", "another long secret")).Is(200, "Password changed.")
	if a := elsewhere.Get("/account"); a.Status != 303 {
		t.Errorf("the other device is still in: %d", a.Status)
	}
	signIn(t, elsewhere, "rita@gamma.test", "another long secret")
}

func TestSettingsArePeopleAndKeys(t *testing.T) {
	t.Parallel()
	w, s := site(t)
	admin, rep := w.As(t, t.Context()), w.As(t, t.Context())
	signIn(t, admin, adminMail, password)
	signIn(t, rep, "rita@gamma.test", password)
	for _, path := range []string{"/gamma/settings/users", "/gamma/settings/teams", "/gamma/settings/roles", "/gamma/settings/api-keys", "/gamma/settings"} {
		rep.Get(path).Is(403)
	}
	rep.Post("/gamma/settings/users", "name", "x", "email", "x@gamma.test", "role", "tenant_admin").Is(403)
	rep.Post("/gamma/settings/api-keys", "name", "x", "role", "tenant_admin").Is(403)
	if a := admin.Get("/gamma/settings"); a.Location != "/gamma/settings/users" {
		t.Errorf("settings lead to %s", a.Location)
	}
	admin.Get("/gamma/settings/users").Is(200, "Rita Rep", "Sales Rep", "Invite a person")
	admin.Post("/gamma/settings/users", "name", "Nora", "email", "nora", "role", "sales_rep").Is(422, "Enter an address", `value="Nora"`)
	invited := admin.Post("/gamma/settings/users", "name", "Nora New", "email", "nora@gamma.test", "role", "sales_rep").Is(200, "A link for Nora New", "is not shown again")
	link := linkIn(t, invited)
	nora := w.As(t, t.Context())
	nora.Get(link).Is(200, "Welcome to Gamma", "nora@gamma.test", `value="Nora New"`)
	nora.Post(link, "name", "Nora", "password", "short").Is(422, "12 to 256")
	nora.Post(link, "name", "Nora", "password", "nora@gamma.test1").Is(422, "your name or address")
	nora.Follow(nora.Post(link, "name", "Nora New", "password", password))
	nora.Get("/account").Is(200, "Nora New")
	nora.Get(link).Is(404, "no longer works")
	page := admin.Get("/gamma/settings/users")
	id := regexp.MustCompile(`/gamma/settings/users/([0-9a-f-]{36})"[^>]*>Nora New`).FindStringSubmatch(page.Body)[1]
	admin.Get("/gamma/settings/users/"+id).Is(200, "Make a reset link", "Disable")
	admin.Follow(admin.Post("/gamma/settings/users/"+id+"/state", "state", "disabled")).Is(200, "can no longer sign in")
	if a := nora.Get("/account"); a.Status != 303 {
		t.Errorf("a disabled person is still in: %d", a.Status)
	}
	admin.Follow(admin.Post("/gamma/settings/teams", "name", "North")).Is(200, "North added.", "North")
	admin.Get("/gamma/settings/roles").Is(200, "Sales Manager", "Team's", "Own", "Everything else")

	admin.Post("/gamma/settings/api-keys", "name", "", "role", "sales_rep").Is(422, "A key needs a name")
	made := admin.Post("/gamma/settings/api-keys", "name", "Website", "role", "sales_rep").Is(200, "It is not shown again.")
	token := regexp.MustCompile(`crm_[A-Za-z0-9_-]{20,}`).FindString(made.Body)
	if actor, err := s.ByAPIKey(t.Context(), token); err != nil || actor == nil || made.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("key %q: %v %v, %s", token, actor, err, made.Header.Get("Cache-Control"))
	}
	list := admin.Get("/gamma/settings/api-keys").Is(200, "Website", "Works").Lacks(token)
	key := regexp.MustCompile(`/gamma/settings/api-keys/([0-9a-f-]{36})/revoke`).FindStringSubmatch(list.Body)[1]
	admin.Follow(admin.Post("/gamma/settings/api-keys/"+key+"/revoke")).Is(200, "Key revoked.", "Revoked")
	if actor, err := s.ByAPIKey(t.Context(), token); err != nil || actor != nil {
		t.Errorf("a revoked key still works: %v %v", actor, err)
	}
}

func TestSessionsOnTheAccountPage(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	b, other, third := w.As(t, t.Context()), w.As(t, t.Context()), w.As(t, t.Context())
	for _, x := range []*pagetest.Browser{b, other, third} {
		signIn(t, x, "rita@gamma.test", password)
	}
	list := b.Get("/account").Is(200, "Where you are signed in", "This one", "Sign out everywhere else")
	ends := regexp.MustCompile(`/account/sessions/[0-9a-f-]{36}/end`).FindAllString(list.Body, -1)
	if len(ends) != 2 {
		t.Fatalf("%d sessions can be ended", len(ends))
	}
	b.Follow(b.Post(ends[0])).Is(200, "Signed out there.")
	b.Post(ends[0]).Is(404)
	b.Follow(b.Post("/account/sessions/end-others")).Is(200, "Signed out on 1 other device.").Lacks("Sign out everywhere else")
	for _, x := range []*pagetest.Browser{other, third} {
		if a := x.Get("/account"); a.Status != 303 {
			t.Errorf("an ended session is open: %d", a.Status)
		}
	}
}

func TestAnAdminLetsSomebodyInAgain(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	admin, rep := w.As(t, t.Context()), w.As(t, t.Context())
	signIn(t, admin, adminMail, password)
	for range 5 {
		rep.Post("/sign-in", "email", "rita@gamma.test", "password", "wrong wrong wrong").Is(422)
	}
	rep.Post("/sign-in", "email", "rita@gamma.test", "password", password).Is(429, "Too many failed attempts")
	id := regexp.MustCompile(`/gamma/settings/users/([0-9a-f-]{36})"[^>]*>Rita Rep`).FindStringSubmatch(admin.Get("/gamma/settings/users").Body)[1]
	admin.Get("/gamma/settings/users/"+id).Is(200, "5 failed attempts lately")
	admin.Follow(admin.Post("/gamma/settings/users/"+id+"/let-in")).Is(200, "can try again now").Lacks("failed attempts lately")
	signIn(t, rep, "rita@gamma.test", password)
	admin.Follow(admin.Post("/gamma/settings/users/"+id+"/sign-out")).Is(200, "is signed out everywhere")
	rep.Post("/gamma/settings/sign-in", "mfa", "all").Is(303)
	signIn(t, rep, "rita@gamma.test", password)
	rep.Get("/gamma/settings/sign-in").Is(403)
	admin.Get("/gamma/settings/sign-in").Is(200, "Second factor", "Sales Rep")
	admin.Post("/gamma/settings/sign-in", "idle_minutes", "x", "absolute_minutes", "60", "mfa", "optional").Is(422, "whole number")
	admin.Follow(admin.Post("/gamma/settings/sign-in", "idle_minutes", "30", "absolute_minutes", "600", "mfa", "optional")).Is(200, "Saved.", `value="30"`)
}

// linkIn finds the link that a page shows once, without its host.
func linkIn(t *testing.T, a *pagetest.Answer) string {
	t.Helper()
	m := regexp.MustCompile(`value="https?://[^/"]+(/(?:join|reset)/[A-Za-z0-9]+)"`).FindStringSubmatch(a.Body)
	if m == nil || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("no link, or it may be kept: %s %.900s", a.Header.Get("Cache-Control"), a.Text)
	}
	return m[1]
}

func TestAResetLinkWorksOnceAndSignsNobodyIn(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	admin, rita := w.As(t, t.Context()), w.As(t, t.Context())
	signIn(t, admin, adminMail, password)
	signIn(t, rita, "rita@gamma.test", password)
	id := regexp.MustCompile(`/gamma/settings/users/([0-9a-f-]{36})"[^>]*>Rita Rep`).FindStringSubmatch(admin.Get("/gamma/settings/users").Body)[1]
	first := linkIn(t, admin.Post("/gamma/settings/users/"+id+"/link").Is(200, "A link for Rita Rep"))
	link := linkIn(t, admin.Post("/gamma/settings/users/"+id+"/link"))
	rita.Get(first).Is(404)
	if a := rita.Get("/account"); a.Status != 200 {
		t.Errorf("the mere link signed out: %d", a.Status)
	}
	anybody := w.As(t, t.Context())
	if a := anybody.Get(link).Is(200, "A new password"); a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the address of the page is told to others")
	}
	anybody.Post(link, "password", "another long secret").Is(303)
	if a := rita.Get("/account"); a.Status != 303 {
		t.Errorf("still in after the reset: %d", a.Status)
	}
	if a := anybody.Get("/account"); a.Status != 303 {
		t.Errorf("the reset signed in: %d", a.Status)
	}
	anybody.Post(link, "password", "one more long secret").Is(404)
	signIn(t, anybody, "rita@gamma.test", "another long secret")
	anybody.Get("/forgot").Is(200, "sends no mail")
	for _, token := range []string{"x", strings.Repeat("A", 32), "%00", "..%2f"} {
		anybody.Get("/join/" + token).Is(404)
		anybody.Post("/reset/"+token, "password", "another long secret").Is(404)
	}
}

func TestTwoStepSignInByPages(t *testing.T) {
	t.Parallel()
	w, _ := site(t)
	admin, rita := w.As(t, t.Context()), w.As(t, t.Context())
	signIn(t, admin, adminMail, password)
	roles := regexp.MustCompile(`name="mfa_roles" value="([0-9a-f-]{36})"`).FindAllStringSubmatch(admin.Get("/gamma/settings/sign-in").Body, -1)
	if len(roles) != 4 {
		t.Fatalf("%d roles to choose from", len(roles))
	}
	admin.Follow(admin.Post("/gamma/settings/sign-in", "idle_minutes", "600", "absolute_minutes", "600", "mfa", "all")).Is(200, "Saved.")
	rita.Get("/sign-in/code").Is(303)
	rita.Get("/sign-in/enrol").Is(303)
	a := rita.Post("/sign-in", "email", "rita@gamma.test", "password", password, "next", "/gamma/users")
	if a.Status != 303 || a.Location != "/sign-in/enrol?next=%2Fgamma%2Fusers" {
		t.Fatalf("%d %s", a.Status, a.Location)
	}
	if a := rita.Get("/account"); a.Status != 303 {
		t.Errorf("in without a second factor: %d", a.Status)
	}
	enrol := rita.Get("/sign-in/enrol").Is(200, "Set up a second factor", "data:image/svg+xml;base64,")
	secret := strings.ReplaceAll(regexp.MustCompile(`class="seed"><code>([A-Z2-7 ]+)<`).FindStringSubmatch(enrol.Body)[1], " ", "")
	rita.Post("/sign-in/enrol", "code", "00000x").Is(422, "not right")
	codes := rita.Post("/sign-in/enrol", "code", code(t, secret), "next", "/gamma/users").Is(200, "Keep these codes", `href="/gamma/users"`)
	recovery := regexp.MustCompile(`<code>([a-z2-7]{5}-[a-z2-7]{5})</code>`).FindAllStringSubmatch(codes.Body, -1)
	if len(recovery) != 10 {
		t.Fatalf("%d recovery codes", len(recovery))
	}
	rita.Get("/account/two-step").Is(200, "10 of 10 are left").Lacks(secret, recovery[0][1])
	rita.Post("/account/two-step/remove", "proof", "nonsense-x").Is(422, "not right")
	rita.Post("/account/two-step/remove", "proof", recovery[0][1]).Is(422, "asks for a second factor")
	rita.Post("/account/two-step/codes", "proof", recovery[1][1]).Is(200, "Your recovery codes").Lacks(recovery[2][1])
	other := w.As(t, t.Context())
	if a := other.Post("/sign-in", "email", "rita@gamma.test", "password", password); a.Location != "/sign-in/code" {
		t.Fatalf("%d %s", a.Status, a.Location)
	}
	other.Get("/sign-in/code").Is(200, "One more step", "one-time-code")
	other.Post("/sign-in/code", "code", recovery[2][1]).Is(422, "not right")
	id := regexp.MustCompile(`/gamma/settings/users/([0-9a-f-]{36})"[^>]*>Rita Rep`).FindStringSubmatch(admin.Get("/gamma/settings/users").Body)[1]
	admin.Get("/gamma/settings/users/"+id).Is(200, "Has a second factor")
	admin.Follow(admin.Post("/gamma/settings/users/"+id+"/reset-mfa")).Is(200, "are gone").Lacks("Has a second factor")
}

// code is what an authenticator app shows now.
func code(t *testing.T, secret string) string {
	t.Helper()
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(time.Now().Unix()/30))
	m := hmac.New(sha1.New, seed)
	m.Write(counter[:])
	sum := m.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}
