package app

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAMadeUpForwardedForChangesNothing: only what trusted proxies added counts, in
// one header or in several.
func TestAMadeUpForwardedForChangesNothing(t *testing.T) {
	t.Parallel()
	trusted, err := trustedProxies("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		peer  string
		lines []string
		want  string
	}{
		{"203.0.113.5:9", []string{"198.51.100.1"}, "203.0.113.5"},
		{"10.0.0.1:9", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:9", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:9", []string{"192.0.2.66", "198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:9", []string{"192.0.2.66", "198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:9", nil, "10.0.0.1"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		for _, line := range tt.lines {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := clientIP(r, trusted); got != tt.want {
			t.Errorf("%s %q: %s, want %s", tt.peer, tt.lines, got, tt.want)
		}
	}
}
