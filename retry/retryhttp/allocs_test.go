//go:build !race

package retryhttp_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// What a success costs above the base, in allocations. Three of them, but for the case without tracing, are those of a span
// that OpenTelemetry's global provider gives out while there is no SDK. They are not avoided: whether there is one, or an agent that
// takes its place, may change at any time, and only that provider knows.
func TestWhatASuccessAllocates(t *testing.T) {
	resp := answer(200, http.NoBody, "")
	instant := base(func(*http.Request) (*http.Response, error) { return resp, nil })
	deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for name, c := range map[string]struct {
		options retryhttp.Options
		ctx     context.Context
		most    float64
	}{
		"without tracing":            {retryhttp.Options{Options: retry.Options{TracerProvider: noop.NewTracerProvider()}}, t.Context(), 0},
		"nothing to tell":            {retryhttp.Options{}, t.Context(), 3},
		"a deadline that is told":    {retryhttp.Options{}, deadline, 8},
		"a deadline that is not":     {retryhttp.Options{OmitHeaders: true}, deadline, 3},
		"AttemptTimeout":             {retryhttp.Options{Options: retry.Options{AttemptTimeout: time.Minute}}, t.Context(), 12},
		"AttemptTimeout not told of": {retryhttp.Options{Options: retry.Options{AttemptTimeout: time.Minute}, OmitHeaders: true}, t.Context(), 8},
	} {
		c.options.Base = instant
		transport := newTransport(t, c.options)
		req := get(t, c.ctx)
		req.Header.Set("Accept", "application/json")
		got := testing.AllocsPerRun(500, func() {
			if r, err := transport.RoundTrip(req); err != nil || r != resp {
				t.Error(r, err)
			}
		})
		t.Logf("%s: %v allocations", name, got)
		if got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.most)
		}
	}
}
