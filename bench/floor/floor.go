package floor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Page is how many rows a list answers.
const Page = 50

// server answers three questions about one tenant's contacts.
type server struct {
	tenant uuid.UUID
	// fixed plans its statements once, as pgx does by default; fresh plans them for each call, because with a filter and
	// a sort a plan for any value is the wrong one.
	fixed, fresh *pgxpool.Pool
}

// Serve answers on a free loopback port until ctx ends; the address is the first line of out. url is the application
// role's.
func Serve(ctx context.Context, url string, tenant uuid.UUID, out io.Writer) error {
	s := &server{tenant: tenant}
	var err error
	if s.fixed, err = Connect(ctx, url, ""); err != nil {
		return err
	}
	defer s.fixed.Close()
	if s.fresh, err = Connect(ctx, url, "force_custom_plan"); err != nil {
		return err
	}
	defer s.fresh.Close()
	if err := checkColumns(ctx, s.fixed); err != nil {
		return err
	}
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintln(out, lis.Addr())
	srv := &http.Server{Handler: s.routes()} //nolint:gosec // loopback, one known client
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(lis); ctx.Err() == nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Connect opens a pool like the product's; planning is PostgreSQL's plan_cache_mode, "" for its default.
func Connect(ctx context.Context, url, planning string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read database address: %w", err)
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if planning != "" {
		cfg.ConnConfig.RuntimeParams["plan_cache_mode"] = planning
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return pool, nil
}

func (s *server) routes() http.Handler {
	r := chi.NewRouter()
	r.Get("/contacts/{id}", answer(s.one))
	r.Get("/contacts/by-lifecycle", answer(s.byLifecycle))
	r.Get("/contacts/by-name", answer(s.byName))
	r.Get("/search", answer(s.search))
	return r
}

func answer(ask func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := ask(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the client is gone: nothing left to tell
	}
}

const setTenant = "select set_config('app.tenant_id', $1, true)"

// ask sends the tenant and a query in one round trip and collects the rows.
func ask[T any](ctx context.Context, s *server, pool *pgxpool.Pool, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	b := &pgx.Batch{}
	b.Queue(setTenant, s.tenant.String())
	var out []T
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, scan)
		return err
	})
	return out, pool.SendBatch(ctx, b).Close()
}

var (
	sqlOne         = selectContacts("t.id = $2")
	sqlByLifecycle = selectContacts(fmt.Sprintf("t.deleted_at is null and t.lifecycle = $2 order by t.created_at desc, t.id desc limit %d", Page+1))
	sqlByName      = selectContacts(fmt.Sprintf("t.deleted_at is null and lower(t.last_name) like $2 order by t.last_name, t.id limit %d", Page+1))
)

func (s *server) one(r *http.Request) (any, error) {
	id, err := uuid.Parse(chi.URLParam(r, "id"))
	if err != nil {
		return nil, err
	}
	found, err := ask(r.Context(), s, s.fixed, scanContact, sqlOne, s.tenant, id)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("contact %s: %w", id, err)
	}
	return found[0], nil
}

func (s *server) byLifecycle(r *http.Request) (any, error) {
	found, err := ask(r.Context(), s, s.fresh, scanContact, sqlByLifecycle, s.tenant, r.URL.Query().Get("lifecycle"))
	return map[string]any{"data": found[:min(Page, len(found))]}, err
}

func (s *server) byName(r *http.Request) (any, error) {
	found, err := ask(r.Context(), s, s.fresh, scanContact, sqlByName, s.tenant, "%"+r.URL.Query().Get("part")+"%")
	return map[string]any{"data": found[:min(Page, len(found))]}, err
}

// search runs the product's own search function and then reads the records it names, as the product does: in one
// statement the planner would expect a thousand hits and read the whole table.
func (s *server) search(r *http.Request) (any, error) {
	ids, err := ask(r.Context(), s, s.fresh, pgx.RowTo[uuid.UUID], sqlSearch, r.URL.Query().Get("q"))
	if err != nil {
		return nil, err
	}
	found, err := ask(r.Context(), s, s.fresh, scanContact, sqlMany, s.tenant, ids)
	return map[string]any{"data": found}, err
}

var (
	sqlSearch = "select record_id from search_records(lower($1), array['contact'], '{}', '{}', null, '{}', '{}', 20)"
	sqlMany   = selectContacts("t.id = any($2) and t.deleted_at is null")
)
