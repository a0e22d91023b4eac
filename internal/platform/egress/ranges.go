package egress

import "net/netip"

// special is one range that must not be reached, with the words shown to people.
type special struct {
	prefix netip.Prefix
	what   string
}

// specialRanges follows the IANA special-purpose registries for IPv4 and IPv6, plus the one public address that a
// large cloud uses for its instance metadata. IPv6 needs only the exceptions inside 2000::/3, see denied.
var specialRanges = []special{
	{netip.MustParsePrefix("0.0.0.0/8"), "address of this host"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-internal address"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback address"},
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local address (cloud metadata)"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol-reserved address"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation address"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay address"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmark address"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation address"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation address"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved or broadcast address"},
	{netip.MustParsePrefix("::/128"), "unspecified address"},
	{netip.MustParsePrefix("::1/128"), "loopback address"},
	{netip.MustParsePrefix("64:ff9b::/96"), "NAT64 form of an IPv4 address"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "NAT64 form of an IPv4 address"},
	{netip.MustParsePrefix("2001::/32"), "Teredo address"},
	{netip.MustParsePrefix("2001::/23"), "protocol-reserved address"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation address"},
	{netip.MustParsePrefix("2002::/16"), "6to4 form of an IPv4 address"},
	{netip.MustParsePrefix("3fff::/20"), "documentation address"},
	{netip.MustParsePrefix("fc00::/7"), "private address"},
	{netip.MustParsePrefix("fe80::/10"), "link-local address"},
	{netip.MustParsePrefix("fec0::/10"), "site-local address"},
	{netip.MustParsePrefix("ff00::/8"), "multicast address"},
}

var globalUnicast6 = netip.MustParsePrefix("2000::/3")

// denied returns why ip must not be contacted, or "" for an ordinary public address.
func denied(ip netip.Addr) string {
	if ip.Zone() != "" {
		return "link-local address"
	}
	if ip.Is4In6() {
		return "IPv6 form of an IPv4 address"
	}
	for _, s := range specialRanges {
		if s.prefix.Contains(ip) {
			return s.what
		}
	}
	if ip.Is4() {
		return ""
	}
	// Unassigned space is refused rather than trusted: the registry grows, this list is compiled in.
	if !globalUnicast6.Contains(ip) {
		return "address outside the public internet"
	}
	if isatap(ip) {
		return "ISATAP form of an IPv4 address"
	}
	return ""
}

// isatap recognises the interface identifier ::0:5efe:a.b.c.d (and its globally unique form), which a tunnelling
// router would deliver to that IPv4 address whatever the prefix in front.
func isatap(ip netip.Addr) bool {
	b := ip.As16()
	return (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
