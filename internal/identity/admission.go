package identity

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Method is how somebody proved who they are.
type Method string

// The ways in.
const (
	ByPassword Method = "password"
	ByPasskey  Method = "passkey"
	ByProvider Method = "provider"
)

// Steps that may stand between proving who one is and a session.
const (
	StepCode  = "code"  // a second factor is asked for
	StepEnrol = "enrol" // one must be set up first
)

// stepLife is how long a begun sign-in waits.
const stepLife = 10 * time.Minute

// entry is somebody who has proved who they are and stands at the door. forgive is
// the count of tries to forget once they are in; strong says that what was proved
// counts as two factors; fresh, that they came in just now.
type entry struct {
	candidate
	method  Method
	forgive []byte
	strong  bool
	fresh   bool
}

// step is what a ticket remembers of a begun sign-in.
type step struct {
	Method  Method `json:"method"`
	Forgive []byte `json:"forgive"`
}

// admit is the one door for every way of signing in: what the tenant asks for is asked
// of all of them. The session it returns may have a Step, and is none then.
func (s *Service) admit(ctx context.Context, e entry, v Visit) (*Session, error) {
	ctx = person(ctx, e.tenant, e.user)
	var out *Session
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		w, err := s.SignInSettings(ctx)
		if err != nil {
			return err
		}
		if err := passwordsAllowed(ctx, tx, w, e); err != nil {
			return err
		}
		f, err := s.factorsOf(ctx, e.user)
		if err != nil {
			return err
		}
		switch {
		case e.strong || !f.any() && !f.Required:
			out, err = s.openSession(ctx, tx, e, v)
		case f.any():
			out, err = s.askStep(ctx, tx, StepCode, e)
		default:
			out, err = s.askStep(ctx, tx, StepEnrol, e)
		}
		return err
	})
	return out, err
}

// askStep remembers who stands at the door. The token opens no page but the step's.
func (s *Service) askStep(ctx context.Context, tx pgx.Tx, kind string, e entry) (*Session, error) {
	t, token, err := s.newTicket(ctx, tx, kind, &e.user, stepLife, step{e.method, e.forgive})
	if err != nil {
		return nil, err
	}
	return &Session{Token: token, Slug: e.slug, ExpiresAt: t.expires, Step: kind}, nil
}

// atDoor finds who holds the token of a step. Whoever was disabled since is nobody.
func (s *Service) atDoor(ctx context.Context, token, kind string) (*ticket, *entry, error) {
	t, err := s.ticketOf(ctx, token, kind)
	if err != nil {
		return nil, nil, errStep(err)
	}
	var st step
	if err := s.openFrom(t, &st); err != nil {
		return nil, nil, err
	}
	a, err := s.userActor(ctx, t.tenant, *t.user)
	if err == nil && a == nil {
		err = errSignIn
	}
	return t, &entry{candidate: candidate{tenant: t.tenant, slug: t.slug, user: *t.user}, method: st.Method, forgive: st.Forgive}, err
}

// errStep sends people whose step is over back to the beginning.
func errStep(err error) error {
	if errs.KindOf(err) == errs.NotFound {
		return errs.New(errs.Unauthenticated, "step_expired", "This took too long. Sign in again.")
	}
	return err
}

// PassCode takes a second factor at the door: a code of the app, or a recovery code.
func (s *Service) PassCode(ctx context.Context, token, code string, v Visit) (*Session, error) {
	t, e, err := s.atDoor(ctx, token, StepCode)
	if err != nil {
		return nil, err
	}
	ctx = person(ctx, e.tenant, e.user)
	if err := s.checkCode(ctx, e.user, code); err != nil {
		return nil, err
	}
	return s.pass(ctx, t, e, v, nil)
}

// pass uses the ticket of the step up and opens the session.
func (s *Service) pass(ctx context.Context, t *ticket, e *entry, v Visit, before func(ctx context.Context, tx pgx.Tx) error) (*Session, error) {
	var out *Session
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if before != nil {
			if err := before(ctx, tx); err != nil {
				return err
			}
		}
		if err := s.use(ctx, tx, t); err != nil {
			return errStep(err)
		}
		if err := forgive(ctx, tx, codeKey(e.user)); err != nil {
			return err
		}
		var err error
		out, err = s.openSession(ctx, tx, *e, v)
		return err
	})
	return out, err
}

// EnrolAtDoor shows the app that has to be set up before the first session: the one
// that waits already, or a new one.
func (s *Service) EnrolAtDoor(ctx context.Context, token string) (*Enrolment, error) {
	_, e, err := s.atDoor(ctx, token, StepEnrol)
	if err != nil {
		return nil, err
	}
	ctx = person(ctx, e.tenant, e.user)
	if waiting, err := s.pending(ctx, e.user); waiting != nil || err != nil {
		return waiting, err
	}
	return s.beginTOTP(ctx, e.user)
}

// ConfirmAtDoor takes the first code of that app, gives the recovery codes and lets in.
func (s *Service) ConfirmAtDoor(ctx context.Context, token, code string, v Visit) ([]string, *Session, error) {
	t, e, err := s.atDoor(ctx, token, StepEnrol)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.try(ctx, codeKey(e.user)); err != nil {
		return nil, nil, err
	}
	set := s.newRecovery()
	out, err := s.pass(person(ctx, e.tenant, e.user), t, e, v, func(ctx context.Context, tx pgx.Tx) error {
		return s.confirmTOTP(ctx, tx, e.user, code, set)
	})
	return set.codes, out, err
}

// passwordsAllowed refuses passwords where the tenant has switched them off. Whoever
// may change that setting is let in all the same: a broken sign-in at the company must
// not lock the tenant up for good.
func passwordsAllowed(ctx context.Context, tx pgx.Tx, w SignInSettings, e entry) error {
	if !w.PasswordsOff || e.method != ByPassword {
		return nil
	}
	var grants map[string]any
	err := tx.QueryRow(ctx, `select r.grants from users u join roles r on r.tenant_id = u.tenant_id and r.id = u.role_id where u.tenant_id = app_tenant() and u.id = $1`, e.user).Scan(&grants)
	if err != nil || (&Role{Grants: grants}).grants().Scope("tenant", auth.Update) == auth.All {
		return err
	}
	return errs.New(errs.Forbidden, "passwords_off", "This workspace takes no passwords. Sign in with your company's sign-in, or with a passkey.")
}
