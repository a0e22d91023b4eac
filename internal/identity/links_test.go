package identity_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crm/internal/identity"
	"crm/internal/record"
)

func token(l *identity.Link) string { return l.URL[strings.LastIndexByte(l.URL, '/')+1:] }

func TestAnInvitationIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u, link, err := w.Invite(w.admin, identity.NewUser{Email: "Nora@Gamma.test", Role: identity.SalesRep})
	must(t, err)
	if u.State != "invited" || link.Mailed || !strings.Contains(link.URL, "/join/") {
		t.Fatalf("%+v %+v", u, link)
	}
	if n := w.count(t, `select count(*) from sign_in_tickets where position(convert_to($1, 'utf8') in token_hash) > 0`, token(link)); n != 0 {
		t.Error("the token itself is stored")
	}
	w.refuse(t, "nora@gamma.test", password)
	fieldCode(t, "a short password", second(w.AcceptInvite(t.Context(), token(link), "", "short", visit)), "bad_length")
	code(t, "as a reset", w.ResetPassword(t.Context(), token(link), password), "link_expired")
	var in atomic.Int64
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if s, err := w.AcceptInvite(t.Context(), token(link), "Nora", password, visit); err == nil && s.Token != "" {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d came in by one link", in.Load())
	}
	w.signIn(t, "nora@gamma.test", "")
	code(t, "again", second(w.AcceptInvite(t.Context(), token(link), "", password, visit)), "link_expired")
	code(t, "inviting who is there", second(w.InviteAgain(w.admin, u.ID)), "wrong_state")
	if n := w.count(t, `select count(*) from journal where record_id = $1 and action in ('invited', 'invitation_accepted', 'signed_in')`, u.ID); n != 4 {
		t.Errorf("%d rows tell of it", n)
	}
}

func TestLinksEnd(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u, first, err := w.Invite(w.admin, identity.NewUser{Email: "nora@gamma.test", Role: identity.SalesRep})
	must(t, err)
	next, err := w.InviteAgain(w.admin, u.ID)
	must(t, err)
	code(t, "the one before", second(w.LinkOwner(t.Context(), token(first))), "link_expired")
	who, err := w.LinkOwner(t.Context(), token(next))
	if err != nil || who.Email != "nora@gamma.test" || who.Workspace != "gamma" {
		t.Errorf("%+v %v", who, err)
	}
	w.pass(8 * 24 * time.Hour)
	code(t, "after a week", second(w.AcceptInvite(t.Context(), token(next), "", password, visit)), "link_expired")

	ada := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	reset, err := w.ResetLink(w.admin, ada.ID)
	must(t, err)
	must(t, patch(t, w.admin, w.Users, ada.ID, record.Patch{"state": "disabled"}))
	code(t, "a disabled person", w.ResetPassword(t.Context(), token(reset), "a better choice of words"), "link_expired")
	must(t, patch(t, w.admin, w.Users, ada.ID, record.Patch{"state": "active"}))
	w.pass(2 * time.Hour)
	code(t, "after an hour", w.ResetPassword(t.Context(), token(reset), "a better choice of words"), "link_expired")
	must(t, w.SetTenantState(w.admin, "suspended"))
	code(t, "a suspended tenant", second(w.LinkOwner(t.Context(), token(reset))), "link_expired")
}

func TestLinksForThoseWithMoreRightsAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	boss := w.user(t, w.admin, "boss@gamma.test", identity.TenantAdmin)
	w.user(t, w.admin, "ops@gamma.test", identity.SystemAdmin)
	ops := w.as(t, w.signIn(t, "ops@gamma.test", ""))
	code(t, "a reset link", second(w.ResetLink(ops, boss.ID)), "more_rights")
	_, _, err := w.Invite(ops, identity.NewUser{Email: "x@gamma.test", Role: identity.TenantAdmin})
	code(t, "an invitation", err, "more_rights")
	_, delta := w.addTenant(t, "delta")
	code(t, "another tenant's", second(w.ResetLink(delta, boss.ID)), "not_found")
	code(t, "forgot, without mail", w.Forgot(t.Context(), "boss@gamma.test", visit), "no_mail")
}
