package mail

import (
	"encoding/base64"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// auth signs in with PLAIN, or LOGIN where only that is offered.
func (c *conn) auth() error {
	if !c.tls && !nearby(c.net.RemoteAddr()) {
		return misconfigured(StepAuth, "the password would cross the internet unencrypted; choose starttls or tls")
	}
	offered := strings.Fields(c.ext["AUTH"])
	switch {
	case slices.Contains(offered, "PLAIN"):
		return c.authPlain()
	case slices.Contains(offered, "LOGIN"):
		return c.authLogin()
	case len(offered) == 0 && !c.tls:
		return misconfigured(StepAuth, "the server offers no sign-in without encryption; choose starttls or tls, or remove the user name")
	}
	return misconfigured(StepAuth, "the server offers neither PLAIN nor LOGIN sign-in, only: "+printable(strings.Join(offered, " ")))
}

func (c *conn) authPlain() error {
	token := encode("\x00" + c.cfg.Username + "\x00" + c.cfg.Password)
	r, err := c.command(StepAuth, "AUTH PLAIN "+token)
	if err == nil && r.code == 334 {
		r, err = c.command(StepAuth, token) // the server ignored the initial response
	}
	return signedIn(r, err)
}

func (c *conn) authLogin() error {
	r, err := c.command(StepAuth, "AUTH LOGIN")
	for _, answer := range []string{c.cfg.Username, c.cfg.Password} {
		if err != nil || r.code != 334 {
			return signedIn(r, err)
		}
		r, err = c.command(StepAuth, encode(answer))
	}
	return signedIn(r, err)
}

func signedIn(r reply, err error) error {
	if err != nil {
		return err
	}
	if r.code != 235 {
		return refusal(StepAuth, r)
	}
	return nil
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// nearby tells whether the server is on this machine or in its private network, where relays without TLS are usual and
// the path is the operator's own.
func nearby(addr net.Addr) bool {
	target, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return false
	}
	ip := target.Addr().Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}
