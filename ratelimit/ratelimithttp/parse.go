package ratelimithttp

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"time"
)

// ErrMalformed is returned by [ParsePolicies] and [ParseLimits] for a field that is not what
// draft-ietf-httpapi-ratelimit-headers-10 says, or is too long to be looked at.
var ErrMalformed = errors.New("joist/ratelimithttp: malformed field")

// Bounds of what is parsed.
const (
	maxFieldBytes   = 16 << 10 // of all lines
	maxFieldMembers = 64
)

// QuotaPolicy is a member of the field RateLimit-Policy: what a server allows a client.
type QuotaPolicy struct {
	Name         string        // of the policy
	Quota        int64         // how much is allowed, in units of Unit
	Unit         string        // "requests" if the server does not say; "content-bytes", "concurrent-requests" or others
	Window       time.Duration // in which Quota is allowed: whole seconds; 0 if the server does not say
	PartitionKey string        // the bytes that tell whose quota it is; empty if the server does not say
}

// ServiceLimit is a member of the field RateLimit: what is left of a policy.
type ServiceLimit struct {
	Name         string        // of the policy
	Remaining    int64         // how much is left, in the units of the policy
	Reset        time.Duration // until there is more, from the time of the answer: whole seconds; 0 also without HasReset
	HasReset     bool          // whether the server says when there is more
	PartitionKey string        // the bytes that tell whose quota it is; empty if the server does not say
}

// ParsePolicies returns what the fields RateLimit-Policy of an answer tell, in their order, and none if there is no such
// field. It is for clients.
//
// The error is [ErrMalformed] if any part of the field is not as it must be: such a field is to be ignored. Parameters of
// other names are ignored. At most 64 members and 16 KiB are read, and more are malformed. Times above 292 years are 292
// years.
func ParsePolicies(h http.Header) ([]QuotaPolicy, error) {
	return parse(h[policyField], QuotaPolicy{Unit: "requests"}, func(p *QuotaPolicy, name string) { p.Name = name },
		func(p *QuotaPolicy, name string, value bareItem) bool {
			switch name {
			case "q":
				p.Quota = value.integer
				return value.count()
			case "qu":
				p.Unit = value.text
				return value.kind == stringItem
			case "w":
				p.Window = seconds(value.integer)
				return value.count() && value.integer > 0
			case "pk":
				p.PartitionKey = value.text
				return value.kind == bytesItem
			}
			return true
		}, "q")
}

// ParseLimits returns what the fields RateLimit of an answer tell, in their order, and none if there is no such field. It
// is for clients: who has nothing Remaining of a policy should not ask again before Reset is over. A Retry-After in the
// same answer takes precedence.
//
// The error is as that of [ParsePolicies].
func ParseLimits(h http.Header) ([]ServiceLimit, error) { return parseLimits(h[limitField]) }

func parseLimits(lines []string) ([]ServiceLimit, error) {
	return parse(lines, ServiceLimit{}, func(l *ServiceLimit, name string) { l.Name = name },
		func(l *ServiceLimit, name string, value bareItem) bool {
			switch name {
			case "r":
				l.Remaining = value.integer
				return value.count()
			case "t":
				l.Reset, l.HasReset = seconds(value.integer), true
				return value.count()
			case "pk":
				l.PartitionKey = value.text
				return value.kind == bytesItem
			}
			return true
		}, "r")
}

// count tells whether the item is an integer that is not negative.
func (v bareItem) count() bool { return v.kind == integerItem && v.integer >= 0 }

// seconds returns so many seconds, or the longest duration.
func seconds(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Second
}

// parse reads a list of Strings with parameters. Each member begins as initial. set takes a parameter and tells whether its
// value is valid; of one that is there twice the last one counts, for validity too.
func parse[T any](lines []string, initial T, named func(*T, string), set func(*T, string, bareItem) bool, required string) ([]T, error) {
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if size > maxFieldBytes {
		return nil, ErrMalformed
	}
	s := scanner{rest: strings.Trim(strings.Join(lines, ","), " ")}
	var members []T
	for more := s.rest != ""; more; more = s.next() {
		member := initial
		name := s.item()
		named(&member, name.text)
		var invalid []string // names of parameters
		found := false
		s.parameters(func(name string, value bareItem) {
			found = found || name == required
			invalid = remove(invalid, name)
			if !set(&member, name, value) {
				invalid = append(invalid, name)
			}
		})
		if s.failed || name.kind != stringItem || !found || len(invalid) > 0 || len(members) == maxFieldMembers {
			return nil, ErrMalformed
		}
		members = append(members, member)
	}
	if s.failed {
		return nil, ErrMalformed
	}
	return members, nil
}

func remove(names []string, name string) []string {
	for i := range names {
		if names[i] == name {
			return append(names[:i], names[i+1:]...)
		}
	}
	return names
}
