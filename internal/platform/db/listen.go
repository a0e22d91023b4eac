package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Timing of a listening connection: how often its silence is tested, and how long
// the test may take.
const (
	listenIdle = 10 * time.Second
	listenPing = 5 * time.Second
)

// Notify sends each payload (at most 7,900 bytes) to the listeners of a channel, of
// every process. It writes nothing, so it waits for no disk.
func (d *DB) Notify(ctx context.Context, channel string, payloads []string) error {
	_, err := d.pool.Exec(ctx, `select pg_notify($1, p) from unnest($2::text[]) as p`, channel, payloads)
	return MapError(err)
}

// Listen hands what is sent on a channel to got until ctx ends or the connection is
// lost, which it returns. It calls up once nothing more can be missed. The
// connection is one of its own: a pool would hand it to others.
func (d *DB) Listen(ctx context.Context, channel string, up func(), got func(payload string)) error {
	conn, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connect to listen: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenPing)
		defer cancel()
		_ = conn.Close(end) // it is lost or not needed any more
	}()
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen on %s: %w", channel, err)
	}
	up()
	for {
		payload, err := next(ctx, conn)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", channel, err)
		}
		if payload != "" {
			got(payload)
		}
	}
}

// next waits for a payload; "" means that it was quiet and the connection still stands.
func next(ctx context.Context, conn *pgx.Conn) (string, error) {
	wait, cancel := context.WithTimeout(ctx, listenIdle)
	defer cancel()
	n, err := conn.WaitForNotification(wait)
	if err == nil {
		return n.Payload, nil
	}
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return "", err
	}
	ping, stop := context.WithTimeout(ctx, listenPing)
	defer stop()
	return "", conn.Ping(ping)
}
