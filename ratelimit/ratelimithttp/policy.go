package ratelimithttp

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/joist-go/joist/ratelimit"
)

// policies holds what is said about limits and does not change from request to request.
type policies struct {
	fixed []string                  // members of RateLimit-Policy that stand in every answer
	line  string                    // all of them
	known atomic.Pointer[[]*policy] // of limits that have decided, at most maxKnown: replaced as a whole, never written
}

// maxKnown is for how many limits a policy is kept: most takers have a few, a limit of its own per key is the exception.
const maxKnown = 16

func newPolicies(limits []ratelimit.Limit) *policies {
	ps := &policies{}
	for _, l := range limits {
		if p := newPolicy(filled(l)); p.field != "" {
			ps.fixed = append(ps.fixed, p.field)
		}
	}
	ps.line = strings.Join(ps.fixed, ", ")
	ps.known.Store(new([]*policy))
	return ps
}

// filled returns the limit with the defaults that a block fills in.
func filled(l ratelimit.Limit) ratelimit.Limit {
	if l.Name == "" {
		l.Name = ratelimit.DefaultLimitName
	}
	if l.Burst == 0 {
		l.Burst = l.Tokens
	}
	return l
}

// valid tells whether something can be said about the limit.
func valid(l ratelimit.Limit) bool {
	_, _, fills := inflow(filled(l).Burst, l)
	_, printable := appendString(nil, l.Name)
	return printable && (fills || l.Tokens == ratelimit.Infinite || l.Burst == ratelimit.NoBurst)
}

// of returns the policy of a limit that has decided.
func (ps *policies) of(limit ratelimit.Limit) *policy {
	known := *ps.known.Load()
	for _, p := range known {
		if p.limit == limit {
			return p
		}
	}
	p := newPolicy(limit)
	switch {
	case ps.line == "":
		p.line = p.field
	case p.field == "" || slices.Contains(ps.fixed, p.field):
		p.line = ps.line
	default:
		p.line = ps.line + ", " + p.field
	}
	if len(known) == maxKnown {
		known = nil // whoever is still in use comes back
	}
	grown := append(slices.Clip(known), p)
	ps.known.Store(&grown) // another one's addition may be lost: it comes back, too
	return p
}
