package ratelimithttp

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ipv6Group is the length of the prefix that counts as one IPv6 client: what a host or a home is assigned at least, and
// can pick any address of.
const ipv6Group = 64

// Bounds of what is read of a request, so that a client cannot keep the server busy with its fields.
const (
	maxHops    = 32   // elements of a field: more proxies than that stand before no server
	maxElement = 1024 // bytes of an element
)

// ClientIP returns a Key that tells clients apart by their address. An IPv4 address is a key of its own, also when it is
// mapped into IPv6; an IPv6 address stands for its /64, without a zone. An IPv4 client costs no allocation.
//
// Without trusted prefixes the address is the one that the connection comes from, as [http.Request].RemoteAddr has it, and
// no field of the request is looked at, as a client writes there what it likes. Requests from anything that is no address,
// such as a Unix socket, share the empty key.
//
// # Behind proxies
//
// trusted are the addresses of the proxies that stand in front of the server and add to X-Forwarded-For or to Forwarded
// (RFC 7239) whom they had a request from. Only a connection from one of them has its fields read, over all lines and from
// the right, where the nearest proxy wrote: the first address that is not trusted is the client, and what stands to the
// left of it is what the client says itself, and is never looked at. If all of them are trusted, the leftmost is the
// client.
//
// The walk stops at what cannot be parsed, an empty element, "unknown" and obfuscated names included, and the client is
// then the proxy that wrote it: all clients of whom it says no more share its bucket. The same goes for a request in which
// X-Forwarded-For and Forwarded are both there and lead to different clients, since one of the two is not the proxy's
// work: its client is the connection's address. Have proxies remove the field that they do not write.
//
// At most 32 elements are read, of at most 1 KiB each: at the next one, or a longer one, the walk stops as well.
//
// A proxy that connects by a Unix socket has no address to be trusted by. If there is no other way to the socket, wrap the
// middleware in a handler that sets the request's RemoteAddr, as to "127.0.0.1:1", and trust that.
//
// Trust no prefix that clients connect from: who is trusted can be anybody. An IPv4 prefix holds also the addresses mapped
// into IPv6, zones do not matter, and a prefix stands for all of its addresses, masked or not. ClientIP panics if a prefix
// is not valid.
func ClientIP(trusted ...netip.Prefix) func(*http.Request) string {
	proxies := make(prefixes, 0, len(trusted))
	for _, p := range trusted {
		if !p.IsValid() {
			panic("joist/ratelimithttp: ClientIP trusts a prefix, but it is not valid")
		}
		if mapped := 96; p.Addr().Is4In6() && p.Bits() >= mapped {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		proxies = append(proxies, p)
	}
	return func(r *http.Request) string {
		peer, ok := parseNode(r.RemoteAddr)
		if !ok {
			return ""
		}
		if len(proxies) == 0 || !proxies.hold(peer.addr) {
			return peer.key()
		}
		return proxies.client(peer, r.Header).key()
	}
}

// prefixes are the addresses of proxies.
type prefixes []netip.Prefix

// hold tells whether an address, unmapped and without a zone, is that of a proxy.
func (p prefixes) hold(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// client returns whom the proxy at the other end of the connection had a request from.
func (p prefixes) client(peer node, h http.Header) node {
	plain, forwarded := h["X-Forwarded-For"], h["Forwarded"]
	switch {
	case len(forwarded) == 0:
		return p.walk(peer, plain, lastAddress)
	case len(plain) == 0:
		return p.walk(peer, forwarded, lastFor)
	}
	one, other := p.walk(peer, plain, lastAddress), p.walk(peer, forwarded, lastFor)
	if one.addr != other.addr {
		return peer
	}
	return one
}

// walk follows the elements of a field's lines from the right for as long as they are proxies, and returns the last node
// that could be read. last reads the last element of a line, and finds the comma before it.
func (p prefixes) walk(at node, lines []string, last func(line string) (element node, comma int, ok bool)) node {
	hops := 0
	for _, line := range slices.Backward(lines) {
		for more := true; more; hops++ {
			unread := max(0, len(line)-maxElement)
			next, comma, ok := last(line[unread:])
			if more = comma >= 0; !ok || !more && unread > 0 || hops == maxHops {
				return at
			}
			at = next
			if !p.hold(at.addr) {
				return at
			}
			line = line[:unread+max(comma, 0)]
		}
	}
	return at
}

// node is an address, and where it is IPv4 the text that it was read from.
type node struct {
	addr netip.Addr // unmapped, without a zone
	text string
}

// key returns what stands for the node.
func (n node) key() string {
	switch {
	case n.text != "":
		return n.text
	case n.addr.Is4():
		return n.addr.String()
	default:
		return netip.PrefixFrom(n.addr, ipv6Group).Masked().String()
	}
}

// parseNode reads an address, alone or with a port: "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]",
// "[2001:db8::1]:80".
func parseNode(s string) (node, bool) {
	host := s
	if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
		in, port, closed := strings.Cut(inner, "]")
		if !closed || strings.IndexByte(in, ':') < 0 || port != "" && !isPort(port) {
			return node{}, false
		}
		host = in
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 && strings.IndexByte(s[colon+1:], ':') < 0 {
		if host = s[:colon]; !isPort(s[colon:]) {
			return node{}, false
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return node{}, false
	}
	if addr.Is4() {
		return node{addr, host}, true // netip takes the canonical form of IPv4 alone
	}
	return node{addr: addr.WithZone("").Unmap()}, true
}

// isPort tells whether s is a colon and a port as RFC 7239, section 6.2, has it: a number, or a name that hides it.
func isPort(s string) bool {
	if len(s) < len(":1") || s[0] != ':' {
		return false
	}
	s = s[1:]
	if s[0] == '_' {
		return len(s) > 1 && strings.IndexFunc(s, notObfuscated) < 0
	}
	return len(s) <= 5 && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func notObfuscated(r rune) bool {
	letter := r|0x20 >= 'a' && r|0x20 <= 'z'
	digit := r >= '0' && r <= '9'
	return !letter && !digit && r != '.' && r != '_' && r != '-'
}
