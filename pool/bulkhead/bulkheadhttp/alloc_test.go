//go:build !race

package bulkheadhttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/joist-go/joist/pool/bulkhead"
)

type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(int)             {}

func TestARequestCostsAFewAllocations(t *testing.T) {
	h := wrap(newBulkhead(t, bulkhead.Options{}), func(http.ResponseWriter, *http.Request) {})
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), sink{make(http.Header)}
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n > 3 {
		t.Errorf("%v allocations, want at most 3", n)
	}
}
