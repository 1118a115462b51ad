package ratelimithttp

import (
	"net/http"
	"strconv"

	"github.com/joist-go/joist/internal/problemhttp"
	"github.com/joist-go/joist/ratelimit"
)

// The fields that many servers send, and no standard has, as [http.Header] spells them.
const (
	legacyLimit     = "X-Ratelimit-Limit"
	legacyRemaining = "X-Ratelimit-Remaining"
	legacyReset     = "X-Ratelimit-Reset"
)

// setLegacy sets the legacy fields. They hold one limit and not a list: if they are there already, the limit with less
// left is told.
func (p *policy) setLegacy(h http.Header, res ratelimit.Result) {
	if p.field == "" {
		return
	}
	remaining := p.remaining(res)
	if told := h[legacyRemaining]; len(told) > 0 {
		if old, err := strconv.ParseInt(told[0], 10, 64); err == nil && old <= remaining {
			return
		}
	}
	var buf [64]byte
	b := strconv.AppendInt(buf[:0], max(0, p.limit.Burst), 10)
	limitEnd := len(b)
	b = strconv.AppendInt(b, remaining, 10)
	remainingEnd := len(b)
	b = strconv.AppendInt(b, max(0, problemhttp.Seconds(res.ResetAfter)), 10)
	all := string(b)
	v := &[...]string{all[:limitEnd], all[limitEnd:remainingEnd], all[remainingEnd:]}
	h[legacyLimit] = v[0:1:1]
	h[legacyRemaining] = v[1:2:2]
	h[legacyReset] = v[2:3:3]
}
