package retryhttp_test

import (
	"net/http"
	"testing"

	"github.com/joist-go/joist/retry/retryhttp"
)

// BenchmarkSuccess is a success at once, over a base that does nothing.
func BenchmarkSuccess(b *testing.B) {
	resp := answer(200, http.NoBody, "")
	instant := base(func(*http.Request) (*http.Response, error) { return resp, nil })
	transport, err := retryhttp.New(retryhttp.Options{Base: instant})
	if err != nil {
		b.Fatal(err)
	}
	for name, rt := range map[string]http.RoundTripper{"bare": instant, "retryhttp": transport} {
		b.Run(name, func(b *testing.B) {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://x.test/", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if r, err := rt.RoundTrip(req); err != nil || r != resp {
					b.Fatal(r, err)
				}
			}
		})
	}
}
