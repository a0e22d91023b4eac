package cache_test

import (
	"context"
	"testing"
	"time"

	"crm/internal/platform/cache"
	"crm/internal/platform/cache/redistest"
	"crm/internal/platform/db"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/id"
)

// installation is processes on one database.
type installation struct {
	sql *dbtest.DB
	db  *db.DB
}

func install(t *testing.T) *installation {
	t.Helper()
	sql := dbtest.New(t)
	d, err := db.Open(t.Context(), sql.AppURL, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return &installation{sql, d}
}

// process is one that listens, with an exact cache.
func (i *installation) process(t *testing.T, d cache.Deps) (*cache.Space, *cache.Aside[thing]) {
	t.Helper()
	d.DB = i.db
	s := process(t, d)
	c, err := cache.New(s, cache.Options[thing]{Name: "exact", Local: time.Hour, Shared: time.Hour, Entries: 100, Exact: true, Version: func(v thing) int64 { return v.Version }})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// listen follows the others until the test or stop ends it.
func listen(t *testing.T, s *cache.Space) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Listen(ctx) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	eventually(t, "the process hears the others", s.Hears)
	return stop
}

func TestAnotherProcessHearsOfAChange(t *testing.T) {
	t.Parallel()
	in := install(t)
	a, ours := in.process(t, cache.Deps{})
	b, theirs := in.process(t, cache.Deps{})
	listen(t, a)
	listen(t, b)
	k := newKey()
	other := cache.Key{Tenant: k.Tenant, Group: k.Group, ID: id.New()}
	for _, floors := range [][]cache.Floor{{{ID: k.ID, Version: 2}}, nil, make([]cache.Floor, 1000)} {
		want(t, theirs, other, gives(1), 1)
		want(t, theirs, k, gives(1), 1)
		ours.Forget(t.Context(), k.Tenant, k.Group, floors...)
		eventually(t, "the old is gone", func() bool {
			v, err := theirs.Get(t.Context(), k, gives(2))
			return err == nil && v.Version == 2
		})
		ours.Forget(t.Context(), k.Tenant, k.Group)
		eventually(t, "all is gone", func() bool {
			_, err := theirs.Get(t.Context(), k, absent)
			_, also := theirs.Get(t.Context(), other, absent)
			return err != nil && also != nil
		})
	}
}

func TestAProcessThatDoesNotListenKeepsNothing(t *testing.T) {
	t.Parallel()
	in := install(t)
	s, c := in.process(t, cache.Deps{})
	k := newKey()
	if c.Useful() {
		t.Error("it could keep something")
	}
	want(t, c, k, gives(1), 1)
	want(t, c, k, gives(2), 2)
	stop := listen(t, s)
	want(t, c, k, gives(3), 3)
	want(t, c, k, gives(4), 3)
	stop()
	want(t, c, k, gives(5), 5)
	listen(t, s) // what it had before may have changed meanwhile
	want(t, c, k, gives(6), 6)
}

func TestALostConnectionForgetsEverything(t *testing.T) {
	t.Parallel()
	in := install(t)
	s, c := in.process(t, cache.Deps{})
	listen(t, s)
	k := newKey()
	want(t, c, k, gives(1), 1)
	var killed int
	err := in.db.Pool().QueryRow(t.Context(), `select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and query ilike 'listen %'`).Scan(&killed)
	if err != nil || killed == 0 {
		t.Fatal(killed, err)
	}
	eventually(t, "the old is not served", func() bool {
		v, err := c.Get(t.Context(), k, gives(2))
		return err == nil && v.Version == 2
	})
	eventually(t, "it hears again", s.Hears)
}

// A writer that cannot reach Redis has the others tell it.
func TestAChangeThatRedisCannotBeToldIsToldByTheOthers(t *testing.T) {
	t.Parallel()
	in, r := install(t), redistest.Start(t)
	b, theirs := in.process(t, cache.Deps{RedisURL: r.URL})
	listen(t, b)
	_, cutOff := in.process(t, cache.Deps{RedisURL: "unix:///nowhere/redis.sock"})
	k := newKey()
	want(t, theirs, k, gives(1), 1)
	cutOff.Forget(t.Context(), k.Tenant, k.Group, cache.Floor{ID: k.ID, Version: 2})
	eventually(t, "version 2 is served", func() bool {
		v, err := theirs.Get(t.Context(), k, gives(2))
		return err == nil && v.Version == 2
	})
}

// The last word of a process that ends is heard.
func TestAShortLivedProcessIsHeard(t *testing.T) {
	t.Parallel()
	in := install(t)
	b, theirs := in.process(t, cache.Deps{})
	listen(t, b)
	k := newKey()
	want(t, theirs, k, gives(1), 1)
	s, err := cache.Open(cache.Deps{DB: in.db})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(s, cache.Options[thing]{Name: "exact"})
	if err != nil {
		t.Fatal(err)
	}
	c.Forget(t.Context(), k.Tenant, k.Group, cache.Floor{ID: k.ID})
	s.Close(t.Context())
	eventually(t, "version 2 is served", func() bool {
		v, err := theirs.Get(t.Context(), k, gives(2))
		return err == nil && v.Version == 2
	})
}
