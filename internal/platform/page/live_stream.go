package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

const (
	pingEvery = 20 * time.Second
	// streamLife ends a stream so that its reader signs in anew: rights that were
	// withdrawn stop counting.
	streamLife = 15 * time.Minute
)

// Stream answers GET /live: events "change" with {"object","id"}, a comment every
// 20 seconds. There is nothing to resume: whoever was away fetches the page.
func (l *Live) Stream(w http.ResponseWriter, r *http.Request) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		// A redirect would be followed for ever; 401 makes the browser stop asking.
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	s := l.subscribe(a)
	if s == nil {
		return errs.New(errs.Limited, "too_many_streams", "This account has too many open pages. Close some of them.")
	}
	defer l.unsubscribe(s)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	l.pump(w, r, s)
	return nil
}

// pump writes until the reader leaves, the hub closes, or the stream's life ends.
func (l *Live) pump(w http.ResponseWriter, r *http.Request, s *stream) {
	out := http.NewResponseController(w)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	text := "retry: 3000\n: here\n\n"
	for {
		if _, err := fmt.Fprint(w, text); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-s.wake:
			text = events(s.take())
		case <-ping.C:
			text = ": ping\n\n"
		case <-r.Context().Done():
			return
		case <-l.closed:
			return
		case <-end.C:
			return
		}
	}
}

func events(list []change) string {
	var out []byte
	for _, c := range list {
		data, _ := json.Marshal(c)
		out = fmt.Appendf(out, "event: change\ndata: %s\n\n", data)
	}
	return string(out)
}
