package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
	"crm/internal/platform/errs"
	"crm/internal/platform/ratelimit"
	"crm/internal/platform/rest"
	"crm/internal/platform/secret"
)

// limits are the API's rate limits. policy is the seam for limits of a tenant's
// own: it is asked with every request and must not query.
type limits struct {
	limiter  *ratelimit.Limiter
	policies map[string]ratelimit.Policy
	policy   func(a *auth.Actor, name string) ratelimit.Policy
	good     *otter.Cache[string, struct{}] // keys that worked lately, by hash
}

func newLimits(settings string, shared *cache.Space, now func() time.Time) (*limits, error) {
	policies, err := ratelimit.ParseSettings(settings)
	if err != nil {
		return nil, fmt.Errorf("read CRM_API_RATE: %w", err)
	}
	good, err := otter.New(&otter.Options[string, struct{}]{MaximumSize: 10_000, ExpiryCalculator: otter.ExpiryWriting[string, struct{}](10 * time.Minute)})
	if err != nil {
		return nil, fmt.Errorf("make the list of good keys: %w", err)
	}
	l := &limits{limiter: ratelimit.New(shared, now), policies: policies, good: good}
	l.policy = func(_ *auth.Actor, name string) ratelimit.Policy { return l.policies[name] }
	return l, nil
}

// count takes a token of the caller's buckets, tells how they stand on every
// answer, and refuses when one is empty.
func (l *limits) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := l.take(w, r, l.buckets(r)...); err != nil {
			rest.Problem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (l *limits) take(w http.ResponseWriter, r *http.Request, buckets ...ratelimit.Bucket) error {
	v := l.limiter.Take(r.Context(), buckets...)
	tell(w, v)
	if v.Allowed {
		return nil
	}
	return limited(v)
}

func tell(w http.ResponseWriter, v ratelimit.Verdict) {
	w.Header().Set("RateLimit-Policy", v.PolicyHeader())
	w.Header().Set("RateLimit", v.Header())
}

func limited(v ratelimit.Verdict) error {
	e := errs.New(errs.Limited, "rate_limited", "Too many requests. Wait as long as Retry-After says, then go on more slowly; see the RateLimit header.")
	e.RetryAfter, e.Data = max(v.RetryAfter(), time.Second), map[string]any{"policy": v.Empty()}
	return e
}

// buckets are the caller's own and its tenant's; without a caller, the address's.
func (l *limits) buckets(r *http.Request) []ratelimit.Bucket {
	a := auth.From(r.Context())
	if a == nil {
		return []ratelimit.Bucket{l.byAddress(r, ratelimit.Address)}
	}
	tenant := a.TenantID.String()
	return []ratelimit.Bucket{
		{Name: ratelimit.Key, Group: tenant, ID: a.ID.String(), Policy: l.policy(a, ratelimit.Key)},
		{Name: ratelimit.Tenant, Group: tenant, Policy: l.policy(a, ratelimit.Tenant)},
	}
}

func (l *limits) byAddress(r *http.Request, name string) ratelimit.Bucket {
	return ratelimit.Bucket{Name: name, Group: addressGroup(r.RemoteAddr), Policy: l.policies[name]}
}

// addressGroup is what counts as one address, of a peer with its port.
func addressGroup(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	return ratelimit.AddressGroup(host)
}

// guard bounds guessing: an address with too many refused keys gets no further
// look-ups. Keys that worked lately still do, so one forgotten script does not
// lock out its neighbours behind the same address.
func (l *limits) guard(w http.ResponseWriter, r *http.Request, header string, find func(context.Context, string) (*auth.Actor, error)) (*auth.Actor, error) {
	failures, hash := l.byAddress(r, ratelimit.Failures), string(secret.Hash(header))
	_, known := l.good.GetIfPresent(hash)
	if !known {
		if v := l.limiter.Look(r.Context(), failures); !v.Allowed {
			tell(w, v)
			return nil, limited(v)
		}
	}
	actor, err := find(r.Context(), header)
	switch {
	case err == nil && !known:
		l.good.Set(hash, struct{}{})
	case errs.KindOf(err) == errs.Unauthenticated:
		tell(w, l.limiter.Take(r.Context(), failures))
	}
	return actor, err
}
