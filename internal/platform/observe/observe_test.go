package observe_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crm/internal/platform/observe"
)

func works(context.Context) error { return nil }

func ready(t *testing.T, checks ...observe.Check) (*httptest.ResponseRecorder, bool, map[string]string) {
	t.Helper()
	w := httptest.NewRecorder()
	observe.Ready(checks)(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	var body struct {
		Ready bool
		Parts map[string]string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w, body.Ready, body.Parts
}

func TestReadyWhenEveryPartWorks(t *testing.T) {
	t.Parallel()
	w, ok, parts := ready(t, observe.Check{Name: "database", Run: works}, observe.Check{Name: "jobs", Run: works})
	if w.Code != 200 || !ok || parts["database"] != "ok" || parts["jobs"] != "ok" || w.Header().Get("Retry-After") != "" {
		t.Errorf("%d %v %v", w.Code, ok, parts)
	}
}

func TestNotReadyWhenOnePartFailsAndItsCauseStaysInside(t *testing.T) {
	t.Parallel()
	fails := func(context.Context) error { return errors.New("dial 10.0.0.7: password hush") }
	w, ok, parts := ready(t, observe.Check{Name: "database", Run: fails}, observe.Check{Name: "jobs", Run: works})
	if w.Code != 503 || ok || parts["database"] != "not ready" || parts["jobs"] != "ok" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v %v", w.Code, ok, parts)
	}
	if strings.Contains(w.Body.String(), "hush") || strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Errorf("the cause is shown: %s", w.Body)
	}
}

func TestAPartThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	hangs := func(ctx context.Context) error {
		<-ctx.Done() // only the handler's own limit ends this
		return ctx.Err()
	}
	if w, _, parts := ready(t, observe.Check{Name: "redis", Run: hangs}, observe.Check{Name: "jobs", Run: works}); w.Code != 503 || parts["redis"] != "not ready" {
		t.Errorf("%d %v", w.Code, parts)
	}
}

func TestLoggerWritesJSONOutsideOfATerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log, err := observe.Logger(&out, "warn", "")
	if err != nil {
		t.Fatal(err)
	}
	log.InfoContext(t.Context(), "too small")
	log.WarnContext(t.Context(), "worth reading", slog.Int("count", 3))
	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil || line["msg"] != "worth reading" || line["count"] != 3.0 {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestLoggerWritesTextWhenAsked(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log, err := observe.Logger(&out, "debug", "text")
	if err != nil {
		t.Fatal(err)
	}
	log.DebugContext(t.Context(), "hello")
	if !strings.Contains(out.String(), "level=DEBUG msg=hello") {
		t.Errorf("written: %s", out.String())
	}
}

func TestLoggerRefusesAnUnknownLevel(t *testing.T) {
	t.Parallel()
	if _, err := observe.Logger(&strings.Builder{}, "loud", ""); err == nil || !strings.Contains(err.Error(), "CRM_LOG_LEVEL") {
		t.Errorf("an unknown level: %v", err)
	}
}

func TestMetricsCountRequestsByRouteAndClass(t *testing.T) {
	t.Parallel()
	m := observe.NewMetrics()
	m.Request("/contacts/{id}", "GET", 404, time.Millisecond)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if want := `crm_http_request_duration_seconds_count{method="GET",route="/contacts/{id}",status="4xx"} 1`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s is missing", want)
	}
}
