//go:build !race

package breakerhttp_test

import (
	"net/http"
	"testing"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
)

// A request costs one allocation above the base: what watches the body, and holds the permit meanwhile.
func TestARequestAllocatesOnce(t *testing.T) {
	res := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	transport := newTransport(t, breakerhttp.Options{
		Options: breaker.Options{MinCalls: 100},
		Base:    roundTripper(func(*http.Request) (*http.Response, error) { return res, nil }),
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.org/", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := testing.AllocsPerRun(500, func() {
		if r, err := transport.RoundTrip(req); err != nil || r != res {
			t.Error(r, err)
		}
	})
	if got > 1 {
		t.Errorf("%v allocations, want 1", got)
	}
}
