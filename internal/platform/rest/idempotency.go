package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/secret"
)

// Idempotent makes a keyed request happen once: same key and same request give
// the first answer byte for byte for 24 hours, another payload is 422, a first
// request still running is 409.
//
// The whole request runs inside one transaction together with the key's row, so
// a crash keeps both or neither. A refused request (4xx, 5xx) rolls both back and
// may be tried again with the same key. Answers are kept sealed: some hold a secret
// that is shown once, and all hold what a thief of the table has no business with.
func Idempotent(d *db.DB, box *secret.Box, now func() time.Time) Around {
	return func(route Route, next Handler) Handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			key := r.Header.Get("Idempotency-Key")
			if key == "" || r.Method == http.MethodGet || r.Method == http.MethodHead || auth.From(r.Context()) == nil {
				return next(w, r)
			}
			return once(w, r, route, next, d, box, now, key)
		}
	}
}

// errRefused rolls back a request that was answered with an error.
var errRefused = errors.New("refused")

const keyLife = 24 * time.Hour

// mostBegun bounds how often a request is begun again after a lost commit.
const mostBegun = 10

type storedAnswer struct {
	Status int
	Header http.Header
	Body   []byte

	print []byte // of the request that it answers
	at    time.Time
	// sealed is false for answers of before there were sealed ones.
	sealed bool
}

func once(w http.ResponseWriter, r *http.Request, route Route, next Handler, d *db.DB, box *secret.Box, now func() time.Time, key string) error {
	if utf8.RuneCountInString(key) > 255 || unfit(key) {
		return errs.New(errs.Malformed, "bad_idempotency_key", "Idempotency-Key may have at most 255 characters, in UTF-8.")
	}
	kept, err := keep(r, route)
	if err != nil {
		return err
	}
	defer kept.close()
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	var replay *storedAnswer
	var failed error // of the handler, not of this transaction
	begun := 0
	do := func(ctx context.Context, tx pgx.Tx) error {
		begun++
		rec.reset()
		failed = nil
		var err error
		if replay, err = claim(ctx, tx, box, key, kept.print, now(), begun > 1); err != nil || replay != nil {
			return err
		}
		req := r.WithContext(ctx)
		if req.Body, err = kept.open(); err != nil {
			return err
		}
		failed = next(rec, req)
		if errs.As(failed) != nil {
			return failed // a deadlock among them is tried again
		}
		if failed != nil || rec.status >= 400 {
			return errRefused
		}
		return finish(ctx, tx, box, key, kept.print, rec, now())
	}
	var lost error
	for {
		// A commit whose answer was lost is looked up: the key tells whether it stands.
		if err = d.Tx(r.Context(), do); !db.Unsure(err) || begun > mostBegun {
			break
		}
		lost = err
	}
	if lost != nil && errs.KindOf(err) == errs.Unavailable {
		return lost // it could not be looked up either
	}
	if failed != nil {
		return failed
	}
	if err != nil && !errors.Is(err, errRefused) {
		return err
	}
	if replay != nil {
		rec = &recorder{header: replay.Header, status: replay.Status}
		rec.body.Write(replay.Body)
		rec.header.Set("Idempotency-Replayed", "true")
	}
	rec.send(w)
	return nil
}

// claim takes the key for this transaction, or returns the stored answer of the same
// request. The lock comes first and in a statement of its own: what its last holder
// committed is seen by the look that follows. Both travel in one round trip. repeat says
// that this very request was begun before, on a connection that may be just ending: it
// waits for that one.
func claim(ctx context.Context, tx pgx.Tx, box *secret.Box, key string, fingerprint []byte, now time.Time, repeat bool) (*storedAnswer, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	lock := `select pg_try_advisory_xact_lock(hashtextextended($1 || $2 || $3, 7))`
	if repeat {
		lock = `select pg_advisory_xact_lock(hashtextextended($1 || $2 || $3, 7)) is not null`
	}
	var free bool
	var found *storedAnswer
	b := &pgx.Batch{}
	b.Queue(lock, a.TenantID.String(), a.ID.String(), key).QueryRow(func(row pgx.Row) error { return row.Scan(&free) })
	b.Queue(`select fingerprint, status, headers, body, created_at, sealed from idempotency_keys where tenant_id = app_tenant() and principal = $1 and key = $2`, a.ID, key).
		QueryRow(func(row pgx.Row) (err error) { found, err = scanAnswer(row); return err })
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	switch {
	case !free:
		return nil, errs.New(errs.Conflict, "request_in_progress", "The first request with this Idempotency-Key is still running. Ask again in a moment.")
	case found == nil || !found.at.After(now.Add(-keyLife)):
		return nil, nil
	case !bytes.Equal(found.print, fingerprint):
		return nil, errs.New(errs.Invalid, "idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new key.")
	}
	return found, found.open(box, answerAAD(a, key))
}

// answerAAD binds a sealed answer to its place.
func answerAAD(a *auth.Actor, key string) string {
	return secret.AAD("idempotency_keys", a.TenantID.String(), a.ID.String(), key)
}

func (s *storedAnswer) open(box *secret.Box, aad string) error {
	if !s.sealed {
		return nil
	}
	var err error
	if s.Body, err = box.Open(aad, s.Body); err != nil {
		return errs.Wrap(err, errs.Conflict, "answer_lost", "The first request with this Idempotency-Key was carried out, but its answer can no longer be read. Look at what it made.")
	}
	return nil
}

// scanAnswer is nil when there is none.
func scanAnswer(row pgx.Row) (*storedAnswer, error) {
	var out storedAnswer
	var header []byte
	err := row.Scan(&out.print, &out.Status, &header, &out.Body, &out.at, &out.sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &out, json.Unmarshal(header, &out.Header)
}

// finish stores the answer under the key, over one whose day is over.
func finish(ctx context.Context, tx pgx.Tx, box *secret.Box, key string, fingerprint []byte, rec *recorder, now time.Time) error {
	header, err := json.Marshal(rec.header)
	if err != nil {
		return err
	}
	a := auth.From(ctx)
	body, err := box.Seal(answerAAD(a, key), rec.body.Bytes())
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into idempotency_keys (tenant_id, principal, key, fingerprint, state, status, headers, body, created_at, sealed)
	  values (app_tenant(), $1, $2, $3, 'done', $4, $5, $6, $7, true)
	  on conflict on constraint idempotency_keys_pkey do update set fingerprint = excluded.fingerprint, status = excluded.status,
	    headers = excluded.headers, body = excluded.body, created_at = excluded.created_at, sealed = true`,
		a.ID, key, fingerprint, rec.status, header, body, now.UTC())
	return err
}

// ForgetKeys deletes the keys of the actor's tenant whose day is over, a thousand
// per transaction, so that no request waits for a long one.
func ForgetKeys(ctx context.Context, d *db.DB, now time.Time) error {
	for gone := int64(1000); gone == 1000; {
		err := d.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `delete from idempotency_keys where (tenant_id, principal, key) in
			  (select tenant_id, principal, key from idempotency_keys where tenant_id = app_tenant() and state = 'done' and created_at <= $1 limit 1000 for update skip locked)`, now.Add(-keyLife).UTC())
			gone = tag.RowsAffected()
			return err
		})
		if err != nil {
			return fmt.Errorf("forget idempotency keys: %w", err)
		}
	}
	return nil
}

// recorder keeps an answer until its transaction has committed.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) reset() {
	r.header, r.status = http.Header{}, http.StatusOK
	r.body.Reset()
}

func (r *recorder) send(w http.ResponseWriter) {
	for k, v := range r.header {
		w.Header()[k] = v
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes())
}
