package ratelimithttp

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/joist-go/joist/ratelimit"
)

// policy is what is said about one limit to every client.
type policy struct {
	limit   ratelimit.Limit
	name    string // the limit's name as a String of a structured field
	field   string // its member of RateLimit-Policy, "" when the limit has no fields
	most    int64  // that can remain: what the bucket holds, and no more than the quota
	line    string // RateLimit-Policy when this limit decides: with the policies that are always told
	problem []byte // the body of a refusal, nil if it is not kept
}

// newPolicy returns the policy of a limit, to be told behind the always of policies. It costs two allocations.
func newPolicy(limit ratelimit.Limit, always string) *policy {
	p := &policy{limit: limit, line: always}
	if limit.Name == "" || limit.Tokens == ratelimit.Infinite || limit.Shadow {
		return p // a shadow denies nothing, and is the server's own affair
	}
	var buf [512]byte
	b := append(buf[:0], always...)
	if always != "" {
		b = append(b, ", "...)
	}
	start := len(b)
	b, ok := appendString(b, limit.Name)
	if !ok {
		return p
	}
	end := len(b)
	quota, window := quotaOf(limit)
	p.most = min(limit.Burst, quota)
	b = append(b, ";q="...)
	b = strconv.AppendInt(b, quota, 10)
	if window > 0 {
		b = append(b, ";w="...)
		b = strconv.AppendInt(b, window, 10)
	}
	p.line = string(b)
	p.name, p.field = p.line[start:end], p.line[start:]
	return p
}

// policies holds what is said about limits and does not change from request to request.
type policies struct {
	fixed  []string                  // members of RateLimit-Policy that stand in every answer
	line   string                    // all of them
	known  atomic.Pointer[[]*policy] // of limits that have decided, at most maxKnown: replaced as a whole, never written
	missed atomic.Uint64             // how often a limit was not known
}

// Most takers have a few limits, which are all known. A limit of its own for each key is the exception.
const (
	maxKnown    = 16
	forgetAfter = 1024 // misses, so that limits that are no longer in use make room
)

func newPolicies(limits []ratelimit.Limit) *policies {
	ps := &policies{}
	for _, l := range limits {
		if p := newPolicy(filled(l), ""); p.field != "" {
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
	p := newPolicy(limit, ps.line)
	if slices.Contains(ps.fixed, p.field) {
		p.line = ps.line
	}
	if ps.missed.Add(1)%forgetAfter == 0 {
		known = nil
	}
	if len(known) < maxKnown {
		p.problem = quotaExceeded(limit.Name)
		grown := append(slices.Clip(known), p)
		ps.known.Store(&grown) // another one's addition may be lost: it comes back
	}
	return p
}
