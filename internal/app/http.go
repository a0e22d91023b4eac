package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/config"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/observe"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
)

// requestID gives every request an id of our own; one from outside is not
// trusted with that role.
func (a *App) requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rid := id.New().String()
		r.Header.Set("X-Request-Id", rid)
		w.Header().Set("X-Request-Id", rid)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		// From here on the peer is the client, whatever trusted proxies lie between:
		// limits and consent records count it.
		r.RemoteAddr = net.JoinHostPort(clientIP(r, a.trusted), "0")
		next.ServeHTTP(w, r)
	})
}

// knownMethods refuses words that are no method; the router would do so without a
// problem.
func knownMethods(next http.Handler) http.Handler {
	known := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(known, r.Method) {
			rest.NotAllowed(w, r, strings.Join(known, ", "))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanics is the last resort: one failed request, not a failed process.
func (a *App) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			slog.ErrorContext(r.Context(), "panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()), "request_id", rest.RequestID(r))
			rest.Problem(w, r, errs.New(errs.Internal, "internal", "Something went wrong on our side."))
		}()
		next.ServeHTTP(w, r)
	})
}

// statusWriter remembers the status for the metrics; Unwrap keeps flushing and
// deadlines working through it.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (a *App) observeRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w}
		start := a.now()
		next.ServeHTTP(sw, r)
		if sw.status == 0 {
			sw.status = 200
		}
		route := "unmatched"
		if rc := chi.RouteContext(r.Context()); rc != nil && rc.RoutePattern() != "" {
			route = rc.RoutePattern()
		}
		took := a.now().Sub(start)
		a.Metrics.Request(route, r.Method, sw.status, took)
		if !a.Log.Enabled(r.Context(), slog.LevelDebug) {
			return // the arguments alone cost more than the rest of this function
		}
		a.Log.DebugContext(r.Context(), "request", "method", r.Method, "route", route, "status", sw.status, "ms", float64(took.Microseconds())/1000, "request_id", r.Header.Get("X-Request-Id"))
	})
}

func apiHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// authenticateAPI accepts a bearer key, or the session cookie when the browser
// itself says that the call comes from our own pages.
func (a *App) authenticateAPI(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor, err := a.apiActor(w, r)
		if err != nil {
			rest.Problem(w, r, err)
			return
		}
		next.ServeHTTP(w, withActor(r, actor))
	})
}

var errBadToken = errs.New(errs.Unauthenticated, "unknown_token", "This API key is unknown, expired or revoked. Make a new one with: crm apikey create")

func (a *App) apiActor(w http.ResponseWriter, r *http.Request) (*auth.Actor, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		return a.limits.guard(w, r, h, a.bearer)
	}
	if r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return nil, nil
	}
	actor, err := a.sessionActor(r)
	if actor == nil {
		return nil, err
	}
	c := *actor
	c.Via = auth.ViaAPI
	return &c, err
}

// bearer finds who an Authorization header speaks for.
func (a *App) bearer(ctx context.Context, header string) (*auth.Actor, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, identity.KeyPrefix) {
		return nil, errBadToken
	}
	actor, err := a.Identity.ByAPIKey(ctx, token)
	if err == nil && actor == nil {
		err = errBadToken
	}
	return actor, err
}

// sessionActor finds who the session cookie belongs to; nil for nobody.
func (a *App) sessionActor(r *http.Request) (*auth.Actor, error) {
	c, err := r.Cookie(page.SessionCookie(a.Cfg.Secure()))
	if err != nil || c.Value == "" {
		return nil, nil
	}
	return a.Identity.BySession(r.Context(), c.Value)
}

// withActor puts a copy of the cached actor, with this request's id, into the
// context.
func withActor(r *http.Request, actor *auth.Actor) *http.Request {
	if actor == nil {
		return r
	}
	c := *actor
	c.RequestID = r.Header.Get("X-Request-Id")
	return r.WithContext(auth.With(r.Context(), &c))
}

// pageSession puts the signed-in user into the context of page requests.
func (a *App) pageSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor, err := a.sessionActor(r)
		if err != nil {
			rest.Problem(w, r, err)
			return
		}
		next.ServeHTTP(w, withActor(r, actor))
	})
}

func (a *App) checks() []observe.Check {
	return []observe.Check{
		{Name: "serving", Run: a.serving},
		{Name: "database", Run: func(ctx context.Context) error { return a.db.Pool().Ping(ctx) }},
		{Name: "migrations", Run: a.checkSchema},
		{Name: "jobs", Run: a.Jobs.Ready},
	}
}

// serving tells a balancer to send nothing more, before the listener closes.
func (a *App) serving(context.Context) error {
	if a.draining.Load() {
		return errors.New("the process was told to end")
	}
	return nil
}

// clientIP is the address a limit counts: the peer, or what a trusted proxy says
// of it, read from the right.
func clientIP(r *http.Request, trusted []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	// The header may stand more than once: what a proxy added is in the last one, what
	// the caller made up in the first.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isTrusted(host, trusted); i-- {
		if hop := strings.TrimSpace(hops[i]); hop != "" {
			host = hop
		}
	}
	return host
}

func isTrusted(host string, trusted []netip.Prefix) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range trusted {
		if p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// trustedProxies reads CRM_TRUSTED_PROXIES.
func trustedProxies(s string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, part := range config.List(s) {
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("CRM_TRUSTED_PROXIES is a list of CIDRs like 10.0.0.0/8, not %q", part)
		}
		out = append(out, p)
	}
	return out, nil
}

const shutdownGrace = 25 * time.Second

// localAddr is where to reach our own listener from this machine.
func localAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
