package identity

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/secret"
)

// Session is a fresh sign-in: the token goes into the cookie and nowhere else. Device
// is for a cookie that outlives it, see [Visit]. With a Step it is no session yet: Token
// opens that step alone, and belongs into another cookie.
type Session struct {
	Token     string
	Slug      string
	ExpiresAt time.Time
	Device    string
	Step      string
}

// openSession makes a session with a token of its own: no sign-in goes on under a
// name that was known before it.
func (s *Service) openSession(ctx context.Context, tx pgx.Tx, e entry, v Visit) (*Session, error) {
	w, err := s.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	token, hash := secret.Token("")
	now := s.now().UTC()
	out := &Session{Token: token, Slug: e.slug, ExpiresAt: now.Add(time.Duration(w.AbsoluteMinutes) * time.Minute), Device: v.Device}
	if d := s.readDevice(v.Device); !d.of([]candidate{e.candidate}) {
		if out.Device, err = s.newDevice(e.tenant, e.user); err != nil {
			return nil, err
		}
	}
	_, err = tx.Exec(ctx, `insert into sessions (tenant_id, id, user_id, token_hash, created_at, seen_at, expires_at, address, user_agent, method, verified_at)
	  values (app_tenant(), $1, $2, $3, $4, $4, $5, $6, $7, $8, $4)`, id.New(), e.user, hash, now, out.ExpiresAt, storable(v.Address), storable(v.Agent), string(e.method))
	if err != nil {
		return nil, err
	}
	if e.forgive != nil {
		if err := forgive(ctx, tx, e.forgive); err != nil {
			return nil, err
		}
	}
	_, err = s.k.Emit(ctx, tx, "user", e.user, "signed_in", map[string]any{"address": v.Address, "method": e.method})
	return out, err
}

// storable cuts what a browser says of itself and drops what is no text: header
// bytes need not be UTF-8, and a cut may go through a character.
func storable(agent string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(agent[:min(len(agent), 300)], ""), "\x00", "")
}

// BySession finds the actor of a session cookie, or nil when it is unknown,
// expired or idle for too long.
func (s *Service) BySession(ctx context.Context, token string) (*auth.Actor, error) {
	hash := secret.Hash(token)
	return s.actors.Get(ctx, actorKey('s', hash), func(ctx context.Context) (*auth.Actor, error) {
		var tenant, sid, user uuid.UUID
		var created, expires, seen time.Time
		var idleMinutes, absoluteMinutes int
		err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, `select tenant_id, session_id, user_id, created_at, expires_at, seen_at, idle_minutes, absolute_minutes from auth_session($1)`, hash).
				Scan(&tenant, &sid, &user, &created, &expires, &seen, &idleMinutes, &absoluteMinutes)
		})
		if errs.KindOf(err) == errs.NotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		now, idle := s.now(), time.Duration(idleMinutes)*time.Minute
		if now.After(expires) || now.Sub(created) > time.Duration(absoluteMinutes)*time.Minute || now.Sub(seen) > idle {
			return nil, nil
		}
		a, err := s.userActor(ctx, tenant, user)
		if a != nil {
			a.SessionID = sid.String()
		}
		if err == nil && now.Sub(seen) > touchAfter(idle) {
			err = s.touch(ctx, tenant, sid)
		}
		return a, err
	})
}

func (s *Service) touch(ctx context.Context, tenant, sid uuid.UUID) error {
	return s.db.Tx(auth.With(ctx, auth.SystemActor(tenant)), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update sessions set seen_at = $2 where tenant_id = app_tenant() and id = $1`, sid, s.now().UTC())
		return err
	})
}

// SignOut ends the actor's session.
func (s *Service) SignOut(ctx context.Context) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	_, err = s.endSessions(ctx, a.ID, `id::text = $2`, a.SessionID, "signed_out")
	return err
}

// OpenSession is one signed-in browser, as its owner sees it.
type OpenSession struct {
	ID        uuid.UUID `json:"id"`
	Device    string    `json:"device"`
	Address   string    `json:"address"`
	Method    string    `json:"method"`
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current"`
}

// Sessions lists the actor's own open sessions, latest use first. Programs have none.
func (s *Service) Sessions(ctx context.Context) ([]OpenSession, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	out := []OpenSession{}
	if a.Kind != auth.User {
		return out, nil
	}
	w, err := s.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC()
	err = s.db.Read(ctx, db.Query{SQL: `select id, user_agent, address, method, created_at, seen_at, least(expires_at, created_at + make_interval(mins => $3))
	  from sessions where tenant_id = app_tenant() and user_id = $1 and expires_at > $2 and created_at > $2::timestamptz - make_interval(mins => $3) and seen_at > $2::timestamptz - make_interval(mins => $4)
	  order by seen_at desc, id desc`, Args: []any{a.ID, now, w.AbsoluteMinutes, w.IdleMinutes}}, func(rows pgx.Rows) error {
		for rows.Next() {
			var o OpenSession
			var agent string
			if err := rows.Scan(&o.ID, &agent, &o.Address, &o.Method, &o.CreatedAt, &o.SeenAt, &o.ExpiresAt); err != nil {
				return err
			}
			o.Device, o.Current = deviceName(agent), o.ID.String() == a.SessionID
			out = append(out, o)
		}
		return nil
	})
	return out, err
}

// EndSession signs the actor out of one of its own sessions.
func (s *Service) EndSession(ctx context.Context, session uuid.UUID) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	n, err := s.endSessions(ctx, a.ID, `id::text = $2`, session.String(), "session_ended")
	if err == nil && n == 0 {
		err = errs.Missing("session")
	}
	return err
}

// EndOtherSessions signs the actor out everywhere but here and tells how many
// sessions that were.
func (s *Service) EndOtherSessions(ctx context.Context) (int, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return 0, err
	}
	return s.endSessions(ctx, a.ID, `id::text <> $2`, a.SessionID, "session_ended")
}

// EndSessionsOf signs somebody out everywhere; for admins.
func (s *Service) EndSessionsOf(ctx context.Context, user uuid.UUID) (int, error) {
	if err := s.mayManage(ctx, user); err != nil {
		return 0, err
	}
	return s.endSessions(ctx, user, `$2::text = ''`, "", "session_ended")
}

// endSessions deletes those sessions of a user that fit a condition on $2. Rows go,
// so there is nothing left that a token could match.
func (s *Service) endSessions(ctx context.Context, user uuid.UUID, which, arg, action string) (int, error) {
	n := 0
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `delete from sessions where tenant_id = app_tenant() and user_id = $1 and `+which, user, arg)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		n = int(tag.RowsAffected())
		s.forgetActors(ctx)
		_, err = s.k.Emit(ctx, tx, "user", user, action, map[string]any{"sessions": n})
		return err
	})
	return n, err
}

// deviceName is what a User-Agent header says in a person's words: the browser and
// the system. Order matters, since all of them claim to be each other.
func deviceName(agent string) string {
	name := firstOf(agent, "Edg", "Edge", "OPR", "Opera", "Firefox", "Firefox", "Chrome", "Chrome", "CriOS", "Chrome", "Safari", "Safari", "curl", "curl")
	system := firstOf(agent, "iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS", "Mac", "CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case name == "" && system == "":
		return "Unknown device"
	case system == "":
		return name
	case name == "":
		return system
	}
	return name + " on " + system
}

// firstOf returns the word for the first mark that is in text; marks and words
// alternate.
func firstOf(text string, marks ...string) string {
	for i := 0; i+1 < len(marks); i += 2 {
		if strings.Contains(text, marks[i]) {
			return marks[i+1]
		}
	}
	return ""
}
