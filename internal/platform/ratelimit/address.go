package ratelimit

import "net/netip"

// AddressGroup is what counts as one address: an IPv4 address, or the /64 that one
// IPv6 customer has to choose from. What is no address counts as it is.
func AddressGroup(host string) string {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Masked().String()
		}
	}
	return ip.String()
}
