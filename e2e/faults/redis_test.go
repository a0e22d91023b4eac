package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crm/e2e"
	"crm/e2e/faults"
	"crm/internal/platform/cache/redistest"
)

// pair is two tenants whose readers must only ever see their own.
type pair struct {
	*world
	other  *faults.Client
	good   atomic.Int64
	load   *load
	fixed  map[*faults.Client][]string // ids of records that never change
	marker map[*faults.Client]string
}

// withRedis starts a server with two tenants and a load of writers and readers. Records
// are kept in Redis alone, so that every read goes by it.
func withRedis(t *testing.T, redisURL string) *pair {
	t.Helper()
	w, _ := start(t, "CRM_REDIS_URL="+redisURL, "CRM_CACHE_MB=0")
	p := &pair{world: w, other: w.tenant(t, "beta"), fixed: map[*faults.Client][]string{}}
	p.marker = map[*faults.Client]string{p.api: "alpha", p.other: "beta"}
	for api, name := range p.marker {
		for i := range 10 {
			r := api.Must(t, 201, "POST", "/api/v1/accounts", map[string]any{"name": fmt.Sprintf("%s %d", name, i)})
			p.fixed[api] = append(p.fixed[api], r.Text("id"))
		}
	}
	p.load = &load{api: func() *faults.Client { return p.api }, seen: func(r *faults.Reply) {
		if r.Err != nil || r.Status != 201 {
			t.Errorf("a create: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
	}}
	p.load.start(t, 4)
	for api, name := range p.marker {
		p.readers(t, api, name)
	}
	p.changer(t)
	return p
}

// readers ask for fixed records; each answer must be the one asked for, of this tenant.
func (p *pair) readers(t *testing.T, api *faults.Client, name string) {
	for n := range 2 {
		p.load.wg.Go(func() {
			for i := n; !p.load.over(); i++ {
				k := i % len(p.fixed[api])
				r := api.Do("GET", "/api/v1/accounts/"+p.fixed[api][k], nil)
				if r.Err != nil || r.Status != 200 || r.Text("name") != fmt.Sprintf("%s %d", name, k) {
					t.Errorf("read of %s %d: %v %d %.300s", name, k, r.Err, r.Status, r.Raw)
				}
				foreign := p.fixed[p.api][k]
				if api == p.api {
					foreign = p.fixed[p.other][k]
				}
				if r := api.Do("GET", "/api/v1/accounts/"+foreign, nil); r.Err != nil || r.Status != 404 {
					t.Errorf("%s reads another tenant's record: %v %d", name, r.Err, r.Status)
				}
				p.good.Add(1)
			}
		})
	}
}

// changer changes one record over and over, and must always read what it wrote.
func (p *pair) changer(t *testing.T) {
	id := p.api.Must(t, 201, "POST", "/api/v1/accounts", map[string]any{"name": "moving"}).Text("id")
	p.load.wg.Go(func() {
		for i := 0; !p.load.over(); i++ {
			want := fmt.Sprintf("moving %d", i)
			if r := p.api.Do("PATCH", "/api/v1/accounts/"+id, map[string]any{"name": want}); r.Err != nil || r.Status != 200 {
				t.Errorf("a change: %v %d %.300s", r.Err, r.Status, r.Raw)
				continue
			}
			if r := p.api.Do("GET", "/api/v1/accounts/"+id, nil); r.Text("name") != want {
				t.Errorf("wrote %q and read %v %d %q", want, r.Err, r.Status, r.Text("name"))
			}
		}
	})
}

// reads waits until so many more reads were right.
func (p *pair) reads(t *testing.T, more int64) {
	t.Helper()
	before := p.good.Load()
	e2e.Until(t, time.Minute, "reads go on", func() bool { return p.good.Load() >= before+more })
}

func (p *pair) end(t *testing.T) {
	t.Helper()
	p.load.stop()
	p.load.ledger.Compare(t, p.api.Stored(t, "leads", "last_name"))
	t.Logf("%d right reads", p.good.Load())
}

// signIn is what a person does.
func (w *world) signIn(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"email": {"ada@alpha.test"}, "password": {password}}.Encode()
	browser := &http.Client{Jar: jar, Timeout: faults.Patience}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/sign-in", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || !strings.HasSuffix(resp.Request.URL.Path, "/home") {
		t.Errorf("signing in ends with %d at %s", resp.StatusCode, resp.Request.URL)
	}
}

// fallback is how many requests were counted in the process because Redis did not answer.
func (p *pair) fallback(t *testing.T) float64 {
	return metric(t, p.Server, "crm_ratelimit_fallback_total")
}

// TestRedisKilled (F13): no answer is wrong, people sign in, limits go on in the process,
// and Redis is used again when it is back.
func TestRedisKilled(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	p := withRedis(t, "unix://"+redis.Socket)
	p.load.atWork(t)
	p.reads(t, 100)
	calm := p.fallback(t)
	redis.Kill()
	p.reads(t, 200)
	p.load.moves(t, 50)
	p.signIn(t)
	if alone := p.fallback(t); alone <= calm {
		t.Errorf("nothing was counted in the process while Redis was away: %v", alone)
	}
	redis.Run(t)
	e2e.Until(t, time.Minute, "Redis is used again", func() bool {
		n, err := redis.Raw.DBSize(context.Background()).Result()
		return err == nil && n > 0
	})
	p.reads(t, 100)
	p.end(t)
}

// TestRedisSlow (F14): a Redis that takes two seconds is left alone.
func TestRedisSlow(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	proxy := faults.StartProxy(t, redis.Socket)
	p := withRedis(t, "redis://"+proxy.Addr)
	p.load.atWork(t)
	calm, routines := p.fallback(t), metric(t, p.Server, "go_goroutines")
	proxy.Delay.Store(int64(2 * time.Second))
	e2e.Until(t, time.Minute, "Redis is too slow", func() bool { return proxy.Late.Load() > 0 && p.fallback(t) > calm })
	p.reads(t, 200)
	p.load.moves(t, 50)
	p.signIn(t)
	if now := metric(t, p.Server, "go_goroutines"); now > routines+200 {
		t.Errorf("%v goroutines pile up, %v before", now, routines)
	}
	proxy.Delay.Store(0)
	e2e.Until(t, time.Minute, "Redis is used again", func() bool {
		before := p.fallback(t)
		p.reads(t, 20)
		return p.fallback(t) == before
	})
	p.end(t)
}

// TestRedisFlushed (F15): nothing lives only there, and nobody gets another's.
func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	p := withRedis(t, "unix://"+redis.Socket)
	p.load.atWork(t)
	for range 10 * rounds {
		e2e.Until(t, time.Minute, "there is something to flush", func() bool {
			n, err := redis.Raw.DBSize(context.Background()).Result()
			return err == nil && n > 0
		})
		if err := redis.Raw.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		p.reads(t, 50)
	}
	if n := metric(t, p.Server, "crm_cache", "foreign"); n > 0 {
		t.Errorf("%v values of other tenants were met", n)
	}
	p.signIn(t)
	p.end(t)
}
