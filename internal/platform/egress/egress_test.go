package egress_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"crm/internal/platform/egress"
)

// canary is a listener that nobody may reach; it counts those who did.
type canary struct {
	net.Listener
	port string
	hits atomic.Int64
}

func startCanary(t *testing.T) *canary {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c := &canary{Listener: l, port: port}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.hits.Add(1)
			conn.Close()
		}
	}()
	return c
}

func newEgress(t *testing.T, allow []string, opts ...egress.Option) *egress.Egress {
	t.Helper()
	e, err := egress.New(allow, opts...)
	if err != nil {
		t.Fatalf("new egress: %v", err)
	}
	return e
}

func dial(t *testing.T, e *egress.Egress, addr string) error {
	t.Helper()
	conn, err := e.DialContext(t.Context(), "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err
}

// spellings are ways to write forbidden places. All must be refused by DialContext and by CheckURL without a look-up.
var spellings = []string{
	// loopback, plain and odd
	"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "127.000.000.001", "0127.0.0.1",
	"0177.0.0.1", "0177.0.0.01", "00000177.0.0.1", "0177.1", "017700000001", "0x7f.0.0.1", "0x7f.0.0.0x1",
	"0x7f000001", "0X7F000001", "0x7f.1", "0x7f.0x1", "2130706433", "0002130706433", "127.0.0.0x1", "127.0.0.256",
	"4294967297", "0x17f000001", "0", "00", "0x0", "0.0.0.0", "0.0.0.0.", "0.0", "0.1.2.3",
	// other numerals that IDNA folds to ASCII
	"①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "⑯⑨。②⑤④。⑯⑨。②⑤④",
	// private, carrier, link-local, metadata
	"10.0.0.1", "10.255.255.255", "012.0.0.1", "0xa.0.0.1", "167772161", "100.64.0.1", "100.100.100.200",
	"100.127.255.255", "169.254.169.254", "169.254.1", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376",
	"172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "0300.0250.0.1", "3232235521", "168.63.129.16",
	// special registries
	"192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
	"203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	// IPv6
	"::", "::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::0001", "::1%lo", "::127.0.0.1",
	"::7f00:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::FFFF:7F00:0001", "0:0:0:0:0:ffff:127.0.0.1",
	"::ffff:0:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
	"64:ff9b::127.0.0.1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:0001::1",
	"2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
	"3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "5f00::1",
	"4000::1", "2606:4700::5efe:127.0.0.1", "2606:4700:0:0:200:5efe:a9fe:a9fe",
}

func TestCorpusOfSpellingsIsRefused(t *testing.T) {
	t.Parallel()
	if len(spellings) < 60 {
		t.Fatalf("only %d spellings", len(spellings))
	}
	c := startCanary(t)
	dns := startNameServer(t)
	// The allow list is not empty: an entry for one host must not weaken the guard for all others.
	e := newEgress(t, []string{"sink.internal", "10.77.0.0/16", "127.0.0.1:1"}, egress.WithResolver(dns.resolver()))
	for _, host := range spellings {
		var refused *egress.Refused
		err := dial(t, e, net.JoinHostPort(host, c.port))
		if !errors.As(err, &refused) {
			t.Errorf("dial %s: got %v, want Refused", host, err)
			continue
		}
		if !strings.Contains(err.Error(), "CRM_EGRESS_ALLOW") || refused.Host == "" {
			t.Errorf("dial %s: text %q does not help", host, err)
		}
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections reached the canary", n)
	}
}

func TestCorpusAsURLs(t *testing.T) {
	t.Parallel()
	c := startCanary(t)
	e := newEgress(t, []string{"sink.internal"}, egress.WithResolver(startNameServer(t).resolver()))
	client := e.HTTPClient()
	for _, host := range spellings {
		authority := strings.ReplaceAll(host, "%", "%25")
		if strings.Contains(host, ":") {
			authority = "[" + authority + "]"
		}
		for _, raw := range []string{"http://" + authority + ":" + c.port + "/x", "http://" + authority + "/x"} {
			if _, err := e.CheckURL(raw); err == nil {
				t.Errorf("CheckURL(%s) accepted", raw)
			}
			resp, err := client.Get(raw)
			if err == nil {
				resp.Body.Close()
				t.Errorf("GET %s went out", raw)
			}
		}
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections reached the canary", n)
	}
}

func TestOrdinaryPublicAddressesPassTheGuard(t *testing.T) {
	t.Parallel()
	e := newEgress(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the guard is judged, nothing is sent
	for _, host := range []string{
		"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1",
		"192.0.1.1", "198.17.255.255", "198.20.0.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1",
	} {
		_, err := e.DialContext(ctx, "tcp", net.JoinHostPort(host, "443"))
		var refused *egress.Refused
		if errors.As(err, &refused) {
			t.Errorf("%s: %v", host, err)
		}
		if _, err := e.CheckURL("https://" + url.PathEscape(bracket(host)) + "/hook"); err != nil && !strings.Contains(host, ":") {
			t.Errorf("CheckURL %s: %v", host, err)
		}
	}
}

func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func TestNamesAreJudgedByWhatTheyResolveTo(t *testing.T) {
	t.Parallel()
	c := startCanary(t)
	dns := startNameServer(t)
	forbidden := []string{"127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fd00::1", "64:ff9b::7f00:1", "2002:7f00:1::"}
	for i, ip := range forbidden {
		dns.set(name(i), []netip.Addr{netip.MustParseAddr(ip)})
	}
	e := newEgress(t, nil, egress.WithResolver(dns.resolver()))
	for i, ip := range forbidden {
		err := dial(t, e, net.JoinHostPort(name(i), c.port))
		var refused *egress.Refused
		if !errors.As(err, &refused) {
			t.Fatalf("%s: got %v, want Refused", ip, err)
		}
		if refused.Host != name(i) || refused.IP != netip.MustParseAddr(ip) {
			t.Errorf("refusal names %s and %s, want %s and %s", refused.Host, refused.IP, name(i), ip)
		}
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections reached the canary", n)
	}
}

func name(i int) string { return string(rune('a'+i)) + ".attacker.test" }

// The attack: the first answer is public (a check before dialling would pass), the second is the metadata service.
func TestRebindingIsRefused(t *testing.T) {
	t.Parallel()
	c := startCanary(t)
	dns := startNameServer(t)
	loopback := netip.MustParseAddr("127.0.0.1")
	dns.set("rebind.attacker.test", []netip.Addr{netip.MustParseAddr("8.8.8.8")}, []netip.Addr{loopback})
	e := newEgress(t, []string{"sink.internal"}, egress.WithResolver(dns.resolver()))

	if _, err := dns.resolver().LookupNetIP(t.Context(), "ip4", "rebind.attacker.test"); err != nil {
		t.Fatalf("the check an unwary program would make: %v", err)
	}
	err := dial(t, e, net.JoinHostPort("rebind.attacker.test", c.port))
	var refused *egress.Refused
	if !errors.As(err, &refused) || refused.IP != loopback {
		t.Fatalf("got %v, want Refused for 127.0.0.1", err)
	}
	if c.hits.Load() != 0 || dns.queries("rebind.attacker.test") < 2 {
		t.Errorf("hits %d, queries %d: the attack was not played", c.hits.Load(), dns.queries("rebind.attacker.test"))
	}
}

func TestMixedAnswersNeverReachTheForbiddenOne(t *testing.T) {
	t.Parallel()
	c := startCanary(t)
	dns := startNameServer(t)
	dns.set("mixed.attacker.test", []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1")})
	e := newEgress(t, nil, egress.WithResolver(dns.resolver()))
	if err := dial(t, e, net.JoinHostPort("mixed.attacker.test", c.port)); err == nil || c.hits.Load() != 0 {
		t.Errorf("err %v, hits %d", err, c.hits.Load())
	}
}

func TestAllowEntries(t *testing.T) {
	t.Parallel()
	c := startCanary(t)
	dns := startNameServer(t)
	for _, host := range []string{"sink.internal", "other.internal"} {
		dns.set(host, []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	}
	cases := []struct {
		allow, target string
		want          bool
	}{
		{"sink.internal", "sink.internal", true},
		{"SINK.internal.", "sink.Internal", true},
		{"sink.internal", "other.internal", false},
		{"sink.internal", "127.0.0.1", false},
		{"sink.internal:" + c.port, "sink.internal", true},
		{"sink.internal:1", "sink.internal", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "::ffff:127.0.0.1", true},
		{"127.0.0.1", "other.internal", true},
		{"127.0.0.0/8", "127.0.0.1", true},
		{"127.0.0.1:" + c.port, "127.0.0.1", true},
		{"127.0.0.1:1", "127.0.0.1", false},
		{"127.0.0.2", "127.0.0.1", false},
		{"10.0.0.0/8", "127.0.0.1", false},
		{"", "127.0.0.1", false},
	}
	for _, tc := range cases {
		e := newEgress(t, []string{tc.allow}, egress.WithResolver(dns.resolver()))
		err := dial(t, e, net.JoinHostPort(tc.target, c.port))
		if (err == nil) != tc.want {
			t.Errorf("allow %q, dial %q: got %v, want allowed=%v", tc.allow, tc.target, err, tc.want)
		}
	}
}

func TestBadAllowEntriesAreRefused(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"0.0.0.0/0", "::/0", "*", "*.internal", "http://sink", "10.0.0.0/33", "host:", "host:0",
		"host:99999", "127.1", "2130706433", "0x7f.1:25", "bad host", "a..b", "sink/24",
	} {
		if _, err := egress.New([]string{entry}); err == nil || !strings.Contains(err.Error(), "CRM_EGRESS_ALLOW") {
			t.Errorf("entry %q: got %v, want an error naming the setting", entry, err)
		}
	}
}

func TestOnlyTCP(t *testing.T) {
	t.Parallel()
	e := newEgress(t, []string{"127.0.0.1"})
	for _, network := range []string{"udp", "unix", "ip4:icmp", ""} {
		if conn, err := e.DialContext(t.Context(), network, "127.0.0.1:53"); err == nil {
			conn.Close()
			t.Errorf("network %q was dialled", network)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	e := newEgress(t, []string{"sink.internal", "build.internal:9000"})
	for raw, want := range map[string]bool{
		"https://example.com/hook":       true,
		"http://example.com:80/":         true,
		"https://example.com:443/":       true,
		"https://bücher.example/":        true,
		"http://sink.internal:9999/":     true,
		"http://build.internal:9000/":    true,
		"http://build.internal:9001/":    false,
		"https://example.com:22/":        false,
		"https://example.com:6379/":      false,
		"https://user:pass@example.com/": false,
		"ftp://example.com/":             false,
		"file:///etc/passwd":             false,
		"gopher://example.com/":          false,
		"//example.com/":                 false,
		"https://":                       false,
		"https:///path":                  false,
		"":                               false,
		"https://exa mple.com/":          false,
		"https://example.com:0/":         false,
	} {
		if _, err := e.CheckURL(raw); (err == nil) != want {
			t.Errorf("CheckURL(%q): got %v, want ok=%v", raw, err, want)
		}
	}
}

func TestHTTPClientFollowsNoRedirectAndNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	var followed atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer inside.Close()
	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusFound))
	defer outside.Close()

	e := newEgress(t, []string{"127.0.0.0/8"})
	resp, err := e.HTTPClient().Get(outside.URL)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || followed.Load() != 0 {
		t.Errorf("status %d, followed %d times", resp.StatusCode, followed.Load())
	}
}

func TestHTTPPortRule(t *testing.T) {
	t.Parallel()
	dns := startNameServer(t)
	dns.set("public.test", []netip.Addr{netip.MustParseAddr("8.8.8.8")})
	e := newEgress(t, nil, egress.WithResolver(dns.resolver()))
	_, err := e.HTTPClient().Get("http://public.test:25/")
	var refused *egress.Refused
	if !errors.As(err, &refused) || refused.Port != 25 {
		t.Errorf("got %v, want Refused for port 25", err)
	}
}

func TestClientCopiesAreIndependent(t *testing.T) {
	t.Parallel()
	e := newEgress(t, nil)
	slow := e.HTTPClient()
	slow.Timeout *= 4
	if e.HTTPClient().Timeout != egress.Timeout {
		t.Error("raising the time-out of one copy changed another")
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	if _, err := zip.Write(bytes.Repeat([]byte("0"), 10<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
			return
		}
		_, _ = io.WriteString(w, "12345678")
	}))
	defer server.Close()
	client := newEgress(t, []string{"127.0.0.1"}).HTTPClient()
	read := func(path string, limit int64) ([]byte, error) {
		resp, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatalf("get: %v", err)
		}
		return egress.ReadBody(resp, limit)
	}
	if body, err := read("/", 8); err != nil || string(body) != "12345678" {
		t.Errorf("exactly the limit: %q, %v", body, err)
	}
	if body, err := read("/", 7); !errors.Is(err, egress.ErrBodyTooLarge) || len(body) != 7 {
		t.Errorf("over the limit: %q, %v", body, err)
	}
	if body, err := read("/bomb", egress.MaxBody); !errors.Is(err, egress.ErrBodyTooLarge) || len(body) != egress.MaxBody {
		t.Errorf("compressed bomb: %d bytes, %v", len(body), err)
	}
}

func FuzzDialRefusesOrErrs(f *testing.F) {
	for _, host := range spellings {
		f.Add(host)
	}
	e, err := egress.New([]string{"sink.internal"}, egress.WithResolver(&net.Resolver{
		PreferGo: true,
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no names here") },
	}))
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.Fuzz(func(t *testing.T, host string) {
		conn, err := e.DialContext(ctx, "tcp", net.JoinHostPort(host, "80"))
		if err == nil {
			conn.Close()
			t.Fatalf("connected to %q", host)
		}
	})
}
