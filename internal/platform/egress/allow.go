package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// rule is one entry of CRM_EGRESS_ALLOW: either a host name or a prefix, for one port or (0) for all.
type rule struct {
	host   string
	prefix netip.Prefix
	port   uint16
}

type allowList []rule

// permits tells whether an entry names this very target. Host entries look at the dialled name only, prefixes at the
// address only: a name that is allowed says nothing about another name that resolves to the same place.
func (l allowList) permits(host string, ip netip.Addr, port uint16) bool {
	for _, r := range l {
		if r.port != 0 && r.port != port {
			continue
		}
		if r.host != "" && r.host == host {
			return true
		}
		if r.prefix.IsValid() && r.covers(ip) {
			return true
		}
	}
	return false
}

// covers also accepts the v4-mapped form of an allowed IPv4 address: the kernel sends both to the same place.
func (r rule) covers(ip netip.Addr) bool {
	return r.prefix.Contains(ip.WithZone("")) || r.prefix.Contains(ip.Unmap())
}

// namesHost tells whether a host entry exists for the name, without looking at addresses.
func (l allowList) namesHost(host string, port uint16) bool {
	for _, r := range l {
		if r.host == host && r.host != "" && (r.port == 0 || r.port == port) {
			return true
		}
	}
	return false
}

// hasPrefix tells whether an address or CIDR entry could still cover a name that is not resolved yet.
func (l allowList) hasPrefix(port uint16) bool {
	for _, r := range l {
		if r.prefix.IsValid() && (r.port == 0 || r.port == port) {
			return true
		}
	}
	return false
}

func parseAllow(entries []string) (allowList, error) {
	var list allowList
	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		r, err := parseRule(entry)
		if err != nil {
			return nil, fmt.Errorf("CRM_EGRESS_ALLOW entry %q: %w", entry, err)
		}
		list = append(list, r)
	}
	return list, nil
}

func parseRule(entry string) (rule, error) {
	if strings.Contains(entry, "://") {
		return rule{}, errors.New("write the host alone, without scheme and path")
	}
	if strings.Contains(entry, "*") {
		return rule{}, errors.New("wildcards are not supported; list each host")
	}
	if strings.Contains(entry, "/") {
		return parsePrefix(entry)
	}
	if ip, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return rule{prefix: single(ip)}, nil
	}
	if strings.Contains(entry, ":") {
		return parseWithPort(entry)
	}
	host, err := normalHost(entry)
	if err != nil {
		return rule{}, err
	}
	if endsInNumber(host) {
		return rule{}, errors.New("not an address and not a host name; write addresses as a.b.c.d")
	}
	return rule{host: host}, nil
}

func parsePrefix(entry string) (rule, error) {
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return rule{}, errors.New("not a valid CIDR such as 10.1.2.0/24")
	}
	if prefix.Bits() == 0 {
		return rule{}, errors.New("this would allow every address; list the ones that are needed")
	}
	return rule{prefix: prefix.Masked()}, nil
}

func parseWithPort(entry string) (rule, error) {
	host, port, err := splitAddr(entry)
	if err != nil {
		return rule{}, errors.New("write host:port with a port from 1 to 65535")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return rule{prefix: single(ip), port: port}, nil
	}
	if endsInNumber(host) {
		return rule{}, errors.New("not an address and not a host name; write addresses as a.b.c.d")
	}
	return rule{host: host, port: port}, nil
}

func single(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	return netip.PrefixFrom(ip, ip.BitLen())
}

// normalHost brings a host to the form used for comparing. Non-ASCII names become punycode the way browsers do it,
// which also turns full-width and circled digits into plain ones, so that the spelling check sees them.
func normalHost(host string) (string, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" {
		return "", errors.New("the host is missing")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String(), nil
	}
	if !isASCII(host) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("the host %s is not a valid name", strconv.Quote(host))
		}
		host = strings.TrimSuffix(strings.ToLower(ascii), ".")
	}
	if !plainName(host) {
		return "", fmt.Errorf("the host %s is not a valid name", strconv.Quote(host))
	}
	return host, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// plainName allows what DNS host names are made of, plus the underscore seen in container networks.
func plainName(host string) bool {
	if len(host) > 253 || host == "" {
		return false
	}
	for _, label := range strings.Split(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
