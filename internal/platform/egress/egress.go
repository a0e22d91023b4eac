package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dialTimeout bounds name resolution plus connecting to all resolved addresses.
const dialTimeout = 10 * time.Second

// Egress dials outward under the guard. It is immutable and safe for concurrent use; make one at start-up.
type Egress struct {
	allow    allowList
	resolver *net.Resolver
	http     http.Client
}

// Option changes how an [Egress] is built.
type Option func(*Egress)

// WithResolver replaces the system's name resolution, for split-horizon DNS and for tests.
func WithResolver(r *net.Resolver) Option {
	return func(e *Egress) { e.resolver = r }
}

// New builds the guard from the entries of CRM_EGRESS_ALLOW: host names, addresses or CIDRs, each optionally with a
// port (host:port, [::1]:port). An entry it cannot understand, a wildcard, or a CIDR that covers everything is an
// error: a mistake here must not open the network quietly.
func New(allow []string, opts ...Option) (*Egress, error) {
	list, err := parseAllow(allow)
	if err != nil {
		return nil, err
	}
	e := &Egress{allow: list}
	for _, opt := range opts {
		opt(e)
	}
	e.http = e.newHTTPClient()
	return e, nil
}

// Refused tells that a target is not to be reached from this server.
type Refused struct {
	Host   string     // the name or address that was asked for, without port
	IP     netip.Addr // the resolved address; zero when the spelling of the host already decided
	Port   uint16
	Reason string // why, such as "loopback address"
}

// Error is a sentence for the operator: what was refused, why, and which setting allows it.
func (r *Refused) Error() string {
	target := strconv.Quote(r.Host)
	if r.IP.IsValid() && r.IP.String() != r.Host {
		target += " (" + r.IP.String() + ")"
	}
	return fmt.Sprintf("connection to %s refused: %s; if this server may reach it, add the host or its CIDR to CRM_EGRESS_ALLOW", target, r.Reason)
}

// DialContext connects to addr (host:port) over network "tcp", "tcp4" or "tcp6". Every address the host resolves to is
// checked at the moment its socket is connected; one that is forbidden is not contacted. It fits tls.Dialer and the
// mail sender; for HTTP use [Egress.HTTPClient], which also limits ports.
func (e *Egress) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return e.dial(ctx, network, addr, anyPort)
}

func (e *Egress) dial(ctx context.Context, network, addr string, ports portRule) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, fmt.Errorf("dial %s: only tcp may leave this server, not %q", addr, network)
	}
	host, port, err := splitAddr(addr)
	if err != nil {
		return nil, fmt.Errorf("dial %q: %w", addr, err)
	}
	if err := e.checkSpelling(host, port); err != nil {
		return nil, err
	}
	dialer := net.Dialer{
		Timeout:   dialTimeout,
		KeepAlive: 30 * time.Second,
		Resolver:  e.resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			return e.checkResolved(host, address, ports)
		},
	}
	return dialer.DialContext(ctx, network, net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// checkResolved is the guard itself: address is the one the kernel is about to connect to.
func (e *Egress) checkResolved(host, address string, ports portRule) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("check %q before dialling: %w", address, err)
	}
	reason := denied(target.Addr())
	if reason == "" {
		reason = ports(target.Port())
	}
	if reason == "" || e.allow.permits(host, target.Addr(), target.Port()) {
		return nil
	}
	return &Refused{Host: host, IP: target.Addr(), Port: target.Port(), Reason: reason}
}

// checkSpelling refuses forms that mean different addresses to different programs before they reach a resolver: some
// C libraries read "0177.1" or "2130706433" as 127.0.0.1, others ask DNS. Literal addresses are judged here as well,
// because Go turns a v4-mapped one into plain IPv4 on its way to the socket.
func (e *Egress) checkSpelling(host string, port uint16) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		if reason := denied(ip); reason != "" && !e.allow.permits(host, ip, port) {
			return &Refused{Host: host, IP: ip, Port: port, Reason: reason}
		}
		return nil
	}
	if endsInNumber(host) {
		return &Refused{Host: host, Port: port, Reason: "not a host name but an unusual spelling of an address"}
	}
	return nil
}

// splitAddr separates host and port and brings the host to the one form that everything else compares: lower case,
// no trailing dot, punycode.
func splitAddr(addr string) (string, uint16, error) {
	rawHost, rawPort, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(rawPort, 10, 16)
	if err != nil || port == 0 {
		return "", 0, fmt.Errorf("port %q is not a number from 1 to 65535", rawPort)
	}
	host, err := normalHost(rawHost)
	if err != nil {
		return "", 0, err
	}
	return host, uint16(port), nil
}

// endsInNumber tells whether the last label is decimal, octal or hexadecimal: by the URL standard such a host is an
// IPv4 address or invalid, and no top-level domain looks like it.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if digits, hex := strings.CutPrefix(last, "0x"); hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
