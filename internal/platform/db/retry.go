package db

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrRetry, inside an error that fn returns, makes Tx begin anew: what the
// transaction was planned with turned out to be out of date.
var ErrRetry = errors.New("begin the transaction again")

// Tries bound how often one transaction or read is begun. Between them lies a random
// pause that doubles, so that those who met in a deadlock do not meet again: 200 ms
// altogether on average, which a caller does not notice and a short fault outlasts.
const (
	tries      = 6
	firstPause = 10 * time.Millisecond
)

// unsure marks a commit whose answer was lost: it may stand or not.
type unsure struct{ error }

func (u unsure) Unwrap() error { return u.error }

// Unsure reports whether nobody can know if the transaction of this error stands. It
// is never tried again here, for it could then happen twice; a caller that can tell,
// such as one with an idempotency key, may.
func Unsure(err error) bool {
	var u unsure
	return errors.As(err, &u)
}

// Passing reports whether an error is about the moment, not about what was asked: the
// transaction of it is void, and begun anew it may well succeed.
func Passing(err error) bool { return why(err) != "" }

// why names the reason for which something may be begun again; "" is none. A
// connection that was refused is none either: the database is away, and whoever asked
// should hear it.
func why(err error) string {
	if err == nil || Unsure(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ""
	}
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, ErrRetry):
		return "definitions"
	case lost(err):
		return "connection"
	case !errors.As(err, &pg):
		return ""
	case pg.Code == "40P01":
		return "deadlock"
	case pg.Code == "40001":
		return "serialization"
	}
	return ""
}

// lost tells a connection that broke from every other failure. The server has rolled
// back what was open on it, unless it was committing.
func lost(err error) bool {
	var connecting *pgconn.ConnectError
	var pg *pgconn.PgError
	if errors.As(err, &connecting) {
		// The database was there, and this one connection was ended while it was made.
		return errors.As(err, &pg) && pg.Code == "57P01" || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	}
	if errors.As(err, &pg) {
		return pg.SeverityUnlocalized == "FATAL" || pg.SeverityUnlocalized == "PANIC" || strings.HasPrefix(pg.Code, "08")
	}
	var network net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// again runs do until it succeeds, fails for good, or has had its tries.
func (d *DB) again(ctx context.Context, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		cause := why(err)
		if cause == "" || n == tries || !rest(ctx, firstPause<<(n-1)) {
			return err
		}
		d.count.retries.WithLabelValues(cause).Inc()
	}
}

// rest waits for a random part of d; false when ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(rand.N(d))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
