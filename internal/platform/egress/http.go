package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	// Timeout is the default for a whole HTTP exchange: connect, send, headers and body. A caller that waits for a slow
	// service may raise Timeout on its copy of the client.
	Timeout = 15 * time.Second
	// MaxBody is the default for [ReadBody]: answers of webhooks and providers are short.
	MaxBody = 64 << 10
)

// ErrBodyTooLarge is returned by [ReadBody] for an answer above its limit.
var ErrBodyTooLarge = errors.New("the answer is larger than expected")

// HTTPClient returns a client under the guard. Callers get their own copy (so raising Timeout affects nobody else) over
// one shared pool of connections. A 3xx comes back as the response, it is not followed.
func (e *Egress) HTTPClient() *http.Client {
	client := e.http
	return &client
}

func (e *Egress) newHTTPClient() http.Client {
	return http.Client{
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			// Proxy stays nil: a proxy from the environment would dial for us, behind the guard's back.
			DialContext:            e.dialHTTP,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        60 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// dialHTTP adds the port rule: web services live on 80 and 443, and a tenant's URL must not talk to the mail server or
// database of somebody else in the accent of HTTP.
func (e *Egress) dialHTTP(ctx context.Context, network, addr string) (net.Conn, error) {
	return e.dial(ctx, network, addr, webPort)
}

// portRule returns why a port must not be used, or "".
type portRule func(port uint16) string

func anyPort(uint16) string { return "" }

func webPort(port uint16) string {
	if port == 80 || port == 443 {
		return ""
	}
	return "port " + strconv.Itoa(int(port)) + " is not one of 80 and 443"
}

// checkPort judges as far as possible without resolving: when CIDR entries exist, a name on an unusual port may turn
// out to be covered by one, and the dial decides.
func (e *Egress) checkPort(host string, port uint16) error {
	reason := webPort(port)
	if reason == "" || e.allow.namesHost(host, port) {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil && e.allow.hasPrefix(port) {
		return nil
	}
	if err == nil && e.allow.permits(host, ip, port) {
		return nil
	}
	return &Refused{Host: host, IP: ip, Port: port, Reason: reason}
}

// CheckURL is the form check for every stored URL (webhook, provider, connector), used on create, update and test
// alike: http or https, a host, no user and password, an allowed port, no forbidden literal address. It resolves no
// name; that happens at each dial. Errors are sentences for the person who typed the URL, or a [*Refused].
func (e *Egress) CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("this is not a valid URL; write it like https://example.com/path")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the URL must begin with https:// or http://")
	}
	if u.User != nil {
		return nil, errors.New("user and password do not belong into the URL; use a header or a signing secret")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host, number, err := splitAddr(net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("check URL: %w", err)
	}
	if err := e.checkSpelling(host, number); err != nil {
		return nil, err
	}
	if err := e.checkPort(host, number); err != nil {
		return nil, err
	}
	return u, nil
}

// ReadBody reads at most limit bytes (after decompression) and closes the body. A longer answer is
// [ErrBodyTooLarge] together with the first limit bytes, which callers may still log as a beginning.
func ReadBody(resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return body, fmt.Errorf("read answer: %w", err)
	}
	if int64(len(body)) > limit {
		return body[:limit], ErrBodyTooLarge
	}
	return body, nil
}
