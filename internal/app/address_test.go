package app

import (
	"net/http/httptest"
	"testing"
)

// TestClientIP: only what trusted proxies say counts, read from the right.
func TestClientIP(t *testing.T) {
	t.Parallel()
	trusted, err := trustedProxies("10.0.0.0/8, 192.168.1.1/32")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.9:1234", "", "203.0.113.9"},
		{"203.0.113.9:1234", "198.51.100.1", "203.0.113.9"}, // a stranger's word
		{"10.1.2.3:1234", "198.51.100.1", "198.51.100.1"},
		{"10.1.2.3:1234", "6.6.6.6, 198.51.100.1", "198.51.100.1"}, // what the client made up
		{"10.1.2.3:1234", "198.51.100.1, 192.168.1.1", "198.51.100.1"},
		{"[2001:db8::1]:1234", "", "2001:db8::1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := clientIP(r, trusted); got != c.want {
			t.Errorf("%s forwarding %q is %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	if _, err := trustedProxies("everybody"); err == nil {
		t.Error("a word is no CIDR")
	}
}
