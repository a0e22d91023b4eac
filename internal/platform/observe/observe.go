// Package observe is what an operator sees: the log, the metrics and the two
// health answers. It holds no personal data: logs and labels carry ids and
// bounded words only.
package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Logger makes the program's logger; format "" is text on a terminal, else JSON.
func Logger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("CRM_LOG_LEVEL is debug, info, warn or error, not %q", level)
	}
	opt := &slog.HandlerOptions{Level: l}
	if format == "text" || (format == "" && terminal(w)) {
		return slog.New(slog.NewTextHandler(w, opt)), nil
	}
	return slog.New(slog.NewJSONHandler(w, opt)), nil
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

// Metrics is the registry with the HTTP figures every server has.
type Metrics struct {
	Registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

// NewMetrics makes a registry with process, Go and HTTP metrics.
func NewMetrics() *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "crm_http_request_duration_seconds", Help: "Time to answer by route and status class.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"route", "method", "status"})}
	m.Registry.MustRegister(m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Request notes one answered request; route is a pattern, never a path.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{})
}

// Check is one part of readiness.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Ready answers /readyz: 200 when every part works, 503 otherwise, with one line
// per part. Causes are for operators, so only the part's own sentence is shown.
func Ready(checks []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		parts := make(map[string]string, len(checks))
		status := http.StatusOK
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, c := range checks {
			wg.Go(func() {
				answer := "ok"
				if err := c.Run(ctx); err != nil {
					answer = "not ready"
					slog.WarnContext(ctx, "not ready", "part", c.Name, "error", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if parts[c.Name] = answer; answer != "ok" {
					status = http.StatusServiceUnavailable
				}
			})
		}
		wg.Wait()
		if status != http.StatusOK {
			w.Header().Set("Retry-After", "2")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "parts": parts})
	}
}
