package identity

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/secret"
)

// Enrolment is a seed on its way into an authenticator app. It is shown until the first
// code confirms it, and never again.
type Enrolment struct {
	URL    string // otpauth://, for a QR code
	Secret string // the same to type
}

// errCode is the answer to a code that is wrong, old or was used already.
var errCode = errs.Field("code", "wrong_code", "This code is not right, or was used already. Wait for the next one, and see that the clock of your phone is right.")

// beginTOTP makes a seed that counts from its first code on.
func (s *Service) beginTOTP(ctx context.Context, user uuid.UUID) (*Enrolment, error) {
	seed := newSeed()
	sealed, err := s.box.Seal(seedPlace(ctx, user), seed)
	if err != nil {
		return nil, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `insert into totp_secrets as t (tenant_id, user_id, sealed, created_at) values (app_tenant(), $1, $2, $3)
		  on conflict on constraint totp_secrets_pkey do update set sealed = excluded.sealed, created_at = excluded.created_at, last_step = 0 where t.confirmed_at is null`, user, sealed, s.now().UTC())
		if err == nil && tag.RowsAffected() == 0 {
			err = errs.New(errs.Conflict, "already_on", "There is an authenticator app already. Remove it first.")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.enrolment(ctx, user, seed)
}

func (s *Service) enrolment(ctx context.Context, user uuid.UUID, seed []byte) (*Enrolment, error) {
	t, err := s.Tenant(ctx)
	if err != nil {
		return nil, err
	}
	u, err := s.Users.Get(auth.With(ctx, auth.SystemActor(t.ID)), user)
	if err != nil {
		return nil, err
	}
	return &Enrolment{URL: totpURL(seed, t.Name, u.Email), Secret: base32Text.EncodeToString(seed)}, nil
}

func seedPlace(ctx context.Context, user uuid.UUID) string {
	return secret.AAD(auth.From(ctx).TenantID.String(), "totp_secrets", "sealed", user.String())
}

// seed returns the seed of a user; nil without one.
func (s *Service) seed(ctx context.Context, user uuid.UUID, confirmed bool) ([]byte, error) {
	var sealed []byte
	err := s.db.Read(ctx, db.Query{SQL: `select sealed from totp_secrets where tenant_id = app_tenant() and user_id = $1 and (confirmed_at is not null) = $2`, Args: []any{user, confirmed}}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&sealed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || sealed == nil {
		return nil, err
	}
	return s.box.Open(seedPlace(ctx, user), sealed)
}

// pending is the seed that waits for its first code, to show it once more.
func (s *Service) pending(ctx context.Context, user uuid.UUID) (*Enrolment, error) {
	seed, err := s.seed(ctx, user, false)
	if err != nil || seed == nil {
		return nil, err
	}
	return s.enrolment(ctx, user, seed)
}

// confirmTOTP takes the first code and gives the recovery codes, which are shown this
// once.
func (s *Service) confirmTOTP(ctx context.Context, tx pgx.Tx, user uuid.UUID, code string, set *recoverySet) error {
	seed, err := s.seed(ctx, user, false)
	if err != nil {
		return err
	}
	step, ok := totpMatch(seed, plainCode(code), s.now())
	if seed == nil || !ok {
		return errCode
	}
	now := s.now().UTC()
	if _, err := tx.Exec(ctx, `update totp_secrets set confirmed_at = $2, last_step = $3 where tenant_id = app_tenant() and user_id = $1`, user, now, step); err != nil {
		return err
	}
	if err := storeRecovery(ctx, tx, user, set); err != nil {
		return err
	}
	_, err = s.k.Emit(ctx, tx, "user", user, "mfa_enabled", map[string]any{"kind": "totp"})
	return err
}

// recoverySet is ten codes with the hashes that are kept of them.
type recoverySet struct {
	codes  []string
	salt   []byte
	hashes [][]byte
}

const recoveryCodes = 10

// newRecovery makes codes of fifty bits each: too many to guess against the waits, and
// slow to search for whoever has the hashes.
func (s *Service) newRecovery() *recoverySet {
	set := &recoverySet{salt: make([]byte, argonSalt)}
	_, _ = rand.Read(set.salt) // never fails
	for range recoveryCodes {
		code := strings.ToLower(rand.Text()[:10])
		set.codes = append(set.codes, code[:5]+"-"+code[5:])
		set.hashes = append(set.hashes, s.hasher.key(code, set.salt, argonTime, argonMemory, argonLanes))
	}
	return set
}

func storeRecovery(ctx context.Context, tx pgx.Tx, user uuid.UUID, set *recoverySet) error {
	if _, err := tx.Exec(ctx, `delete from recovery_codes where tenant_id = app_tenant() and user_id = $1`, user); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `insert into recovery_codes (tenant_id, user_id, n, salt, hash) select app_tenant(), $1, n, $2, h from unnest($3::bytea[]) with ordinality as c(h, n)`, user, set.salt, set.hashes)
	return err
}

// checkCode takes a code of the app or a recovery code, each of them once. It is
// counted before it is compared.
func (s *Service) checkCode(ctx context.Context, user uuid.UUID, code string) error {
	if _, err := s.try(ctx, codeKey(user)); err != nil {
		return err
	}
	code = plainCode(code)
	ok, err := false, error(nil)
	if isCode(code) {
		ok, err = s.takeTOTP(ctx, user, code)
	} else {
		ok, err = s.takeRecovery(ctx, user, code)
	}
	if err == nil && !ok {
		err = errCode
		if noteErr := s.note(ctx, user, "code_failed", nil); noteErr != nil {
			err = noteErr
		}
	}
	return err
}

// takeTOTP uses up the step of a code: what somebody read over a shoulder is worthless.
func (s *Service) takeTOTP(ctx context.Context, user uuid.UUID, code string) (bool, error) {
	seed, err := s.seed(ctx, user, true)
	if err != nil || seed == nil {
		return false, err
	}
	step, ok := totpMatch(seed, code, s.now())
	if !ok {
		return false, nil
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update totp_secrets set last_step = $2 where tenant_id = app_tenant() and user_id = $1 and last_step < $2`, user, step)
		ok = tag.RowsAffected() == 1
		return err
	})
	return ok, err
}

func (s *Service) takeRecovery(ctx context.Context, user uuid.UUID, code string) (bool, error) {
	var salt []byte
	err := s.db.Read(ctx, db.Query{SQL: `select salt from recovery_codes where tenant_id = app_tenant() and user_id = $1 limit 1`, Args: []any{user}}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&salt); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || salt == nil {
		return false, err
	}
	hash := s.hasher.key(code, salt, argonTime, argonMemory, argonLanes)
	ok := false
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update recovery_codes set used_at = $3 where tenant_id = app_tenant() and user_id = $1 and hash = $2 and used_at is null`, user, hash, s.now().UTC())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		ok = true
		_, err = s.k.Emit(ctx, tx, "user", user, "recovery_code_used", nil)
		return err
	})
	return ok, err
}

// Factors are the ways in that somebody has beside a password.
type Factors struct {
	App          bool      `json:"app"`
	RecoveryLeft int       `json:"recovery_left"`
	Passkeys     []Passkey `json:"passkeys"`
	Required     bool      `json:"required"`
}

// Passkey is one WebAuthn credential, as its owner sees it.
type Passkey struct {
	ID         uuid.UUID  `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// Factors lists the actor's own.
func (s *Service) Factors(ctx context.Context) (*Factors, error) {
	a, err := own(ctx)
	if err != nil {
		return nil, err
	}
	return s.factorsOf(ctx, a.ID)
}

func (s *Service) factorsOf(ctx context.Context, user uuid.UUID) (*Factors, error) {
	w, err := s.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	out := &Factors{Passkeys: []Passkey{}}
	err = s.db.ReadMany(ctx, []db.Query{
		{SQL: `select exists (select from totp_secrets where tenant_id = app_tenant() and user_id = $1 and confirmed_at is not null),
		    (select count(*) from recovery_codes where tenant_id = app_tenant() and user_id = $1 and used_at is null),
		    (select role_id from users where tenant_id = app_tenant() and id = $1)`, Args: []any{user}},
		{SQL: `select id, name, created_at, last_used_at from passkeys where tenant_id = app_tenant() and user_id = $1 order by created_at`, Args: []any{user}},
	}, func(i int, rows pgx.Rows) error {
		for rows.Next() {
			var k Passkey
			var role *uuid.UUID
			into := [][]any{{&out.App, &out.RecoveryLeft, &role}, {&k.ID, &k.Name, &k.CreatedAt, &k.LastUsedAt}}[i]
			if err := rows.Scan(into...); err != nil {
				return err
			}
			if i == 0 && role != nil {
				out.Required = w.requires(*role)
			}
			if i == 1 {
				out.Passkeys = append(out.Passkeys, k)
			}
		}
		return nil
	})
	return out, err
}

// any tells whether there is a second factor.
func (f *Factors) any() bool { return f.App || len(f.Passkeys) > 0 }

// own is the actor, who must be a person.
func own(ctx context.Context) (*auth.Actor, error) {
	a, err := auth.Must(ctx)
	if err == nil && a.Kind != auth.User {
		return nil, errs.New(errs.Forbidden, "no_account", "Only people have an account.")
	}
	return a, err
}
