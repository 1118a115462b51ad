package ratelimithttp

import (
	"net/http"
	"net/netip"
	"strings"
)

// ipv6Group is the length of the prefix that counts as one IPv6 client: what a host or a home is assigned at least, and
// can pick any address of.
const ipv6Group = 64

// ClientIP returns a Key that tells clients apart by the address that their connection comes from, as
// [http.Request].RemoteAddr has it. No field of the request is looked at, as a client writes there what it likes; behind
// a proxy all requests have the proxy's address. An IPv4 address is a key of its own, also when it is mapped into IPv6;
// an IPv6 address stands for its /64, without a zone. Requests from anything else, such as a Unix socket, share the empty
// key. An IPv4 client costs no allocation.
func ClientIP() func(*http.Request) string {
	return func(r *http.Request) string { return group(r.RemoteAddr) }
}

// group returns the key of a remote address: host and port, or a host alone as other middleware may leave it.
func group(remote string) string {
	if from, err := netip.ParseAddrPort(remote); err == nil {
		if from.Addr().Is4() {
			return remote[:strings.LastIndexByte(remote, ':')] // netip takes the canonical form of IPv4 alone
		}
		return groupIPv6(from.Addr())
	}
	addr, err := netip.ParseAddr(remote)
	switch {
	case err != nil:
		return ""
	case addr.Is4():
		return remote
	default:
		return groupIPv6(addr)
	}
}

func groupIPv6(addr netip.Addr) string {
	if addr.Is4In6() {
		return addr.Unmap().String()
	}
	return netip.PrefixFrom(addr.WithZone(""), ipv6Group).Masked().String()
}
