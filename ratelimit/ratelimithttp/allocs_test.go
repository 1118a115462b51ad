//go:build !race

package ratelimithttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/joist-go/joist/ratelimit"
)

func TestARequestCostsAFewAllocations(t *testing.T) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, tt := range map[string]struct {
		limit ratelimit.Limit
		most  float64
	}{
		"allowed": {ratelimit.PerSecond(1e9), 2},
		"denied":  {ratelimit.PerHour(1), 4},
	} {
		h := limit(t, tt.limit, next)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := sink{make(http.Header)}
		if n := testing.AllocsPerRun(1000, func() { clear(w.header); h.ServeHTTP(w, r) }); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", name, n, tt.most)
		}
	}
}
