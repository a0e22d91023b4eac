package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"crm/internal/platform/config"
	"crm/internal/platform/db/migrate"
)

// Finding is one thing doctor looked at. Note marks what works but should be
// known.
type Finding struct {
	Part string `json:"part"`
	OK   bool   `json:"ok"`
	Note bool   `json:"note,omitempty"`
	Text string `json:"text"`
}

// Report is what doctor found.
type Report struct {
	Findings []Finding       `json:"findings"`
	Journals []JournalReport `json:"journals,omitempty"`
}

// OK reports whether nothing failed.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if !f.OK {
			return false
		}
	}
	return true
}

func (r *Report) add(part string, err error, good string) {
	if err != nil {
		r.Findings = append(r.Findings, Finding{Part: part, Text: err.Error()})
		return
	}
	r.Findings = append(r.Findings, Finding{Part: part, OK: true, Text: good})
}

// Doctor looks at everything the product stands on. quick only asks the running
// server.
func Doctor(ctx context.Context, cfg *config.Settings, log *slog.Logger, quick bool) *Report {
	r := &Report{}
	if quick {
		r.add("server", askReady(ctx, cfg), "ready at "+cfg.URL())
		return r
	}
	a, err := Open(ctx, cfg, slog.New(slog.DiscardHandler), Admin, false)
	r.add("database", err, "reachable, schema up to date")
	if err != nil {
		return r
	}
	defer a.Close(ctx)
	open, err := migrate.OpenTables(ctx, a.db.Pool())
	if err == nil && len(open) > 0 {
		err = fmt.Errorf("tables without forced row level security: %v", open)
	}
	r.add("isolation", err, "every tenant table is closed by row level security")
	if cfg.RedisURL == "" {
		r.Findings = append(r.Findings, Finding{Part: "cache", OK: true, Text: "in-process (CRM_REDIS_URL is empty)"})
	} else {
		r.add("cache", a.caches.Ping(ctx), "Redis answers")
	}
	r.Findings = append(r.Findings, a.scoringFinding())
	r.Findings = append(r.Findings, a.partitionFinding(ctx))
	r.Journals, err = a.journals(ctx)
	r.addJournals(err)
	return r
}

// askReady asks the server on the configured address.
func askReady(ctx context.Context, cfg *config.Settings) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+localAddr(cfg.Addr)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the server does not answer on %s; start it with: crm serve", cfg.Addr)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers but is not ready (%s); its log says why", resp.Status)
	}
	return nil
}

func (a *App) scoringFinding() Finding {
	engine := a.Scoring.Engine()
	return Finding{Part: "scoring", OK: true, Note: !strings.HasPrefix(engine, "onnxruntime"), Text: engine}
}
