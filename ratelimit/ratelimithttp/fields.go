package ratelimithttp

import (
	"math/bits"
	"net/http"
	"strconv"
	"time"

	"github.com/joist-go/joist/internal/problemhttp"
	"github.com/joist-go/joist/ratelimit"
)

// The fields, as [http.Header] spells them.
const (
	policyField = "Ratelimit-Policy"
	limitField  = "Ratelimit"
)

// maxInteger is the largest Integer of a structured field (RFC 9651, section 3.3.1).
const maxInteger = 999_999_999_999_999

// quotaOf returns the seconds in which an empty bucket of the limit fills, rounded up, and the tokens that come in
// meanwhile: as many as the bucket holds, or more. Nothing comes in when the window is 0.
func quotaOf(limit ratelimit.Limit) (quota, window int64) {
	_, fill, ok := inflow(limit.Burst, limit)
	if !ok {
		return 0, 0
	}
	window = max(1, problemhttp.Seconds(fill))
	hi, lo := bits.Mul64(uint64(limit.Tokens), uint64(window)*uint64(time.Second))
	if hi >= uint64(limit.Per) {
		return maxInteger, window
	}
	q, _ := bits.Div64(hi, lo, uint64(limit.Per))
	return int64(min(q, maxInteger)), window
}

// inflow returns the time in which so many tokens of the limit come in, rounded down and up. It is false when there is
// none.
func inflow(tokens int64, limit ratelimit.Limit) (down, up time.Duration, ok bool) {
	if tokens < 0 || limit.Tokens <= 0 || limit.Per <= 0 {
		return 0, 0, false
	}
	hi, lo := bits.Mul64(uint64(tokens), uint64(limit.Per))
	if hi >= uint64(limit.Tokens) {
		return 0, 0, false
	}
	d, rest := bits.Div64(hi, lo, uint64(limit.Tokens))
	if d >= 1<<62 {
		return 0, 0, false // no limit that a block takes
	}
	down, up = time.Duration(d), time.Duration(d)
	if rest > 0 {
		up++
	}
	return down, up, true
}

// values holds the values of all fields of one answer, so that they cost one allocation.
type values [4]string

// The places in values.
const (
	policyValue = iota
	limitValue
	retryAfterValue
	contentTypeValue
)

// set sets a field.
func (v *values) set(h http.Header, field string, place int, value string) {
	v[place] = value
	h[field] = v[place : place+1 : place+1] // whoever appends to it gets a copy
}

// add adds a member to a field that is a list.
func (v *values) add(h http.Header, field string, place int, value string) {
	if old := h[field]; len(old) > 0 {
		h[field] = append(old, value)
		return
	}
	v.set(h, field, place, value)
}

// setFields sets the fields for an answer.
func (p *policy) setFields(h http.Header, v *values, res ratelimit.Result) {
	if p.line != "" {
		v.add(h, policyField, policyValue, p.line)
	}
	if p.field == "" {
		return
	}
	var buf [192]byte
	field := append(buf[:0], p.name...)
	field = append(field, ";r="...)
	field = strconv.AppendInt(field, p.remaining(res), 10)
	if more := problemhttp.Seconds(untilMore(res)); more > 0 {
		field = append(field, ";t="...)
		field = strconv.AppendInt(field, more, 10)
	}
	v.add(h, limitField, limitValue, string(field))
}

// remaining returns how many requests would be allowed now: never more than the bucket holds, whatever a taker says.
func (p *policy) remaining(res ratelimit.Result) int64 {
	return max(0, min(res.Remaining, p.most))
}

// untilMore returns how long it takes until one token more remains, 0 when the bucket is full or holds none.
func untilMore(res ratelimit.Result) time.Duration {
	if !res.Allowed {
		return res.RetryAfter // of one token, for which there was none
	}
	after, _, ok := inflow(res.Limit.Burst-res.Remaining-1, res.Limit)
	if !ok {
		return 0
	}
	return max(0, res.ResetAfter-after)
}

// appendString appends s as a String of a structured field (RFC 9651, section 4.1.6). It is false when s holds anything
// but printable ASCII, which such a String cannot.
func appendString(b []byte, s string) ([]byte, bool) {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return nil, false
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"'), true
}
