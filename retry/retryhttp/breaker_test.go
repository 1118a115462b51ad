package retryhttp_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// An attempt's time-out reaches the breaker inside as a cancelled context. It must not pass for a caller who left.
func TestAServerThatHangsOpensTheBreakerInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		inside, err := breakerhttp.New(breakerhttp.Options{
			Options: breaker.Options{MinCalls: 2, OpenFor: time.Hour, MaxOpenFor: time.Hour},
			Base: base(func(r *http.Request) (*http.Response, error) {
				calls++
				<-r.Context().Done()
				return nil, r.Context().Err()
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		transport := newTransport(t, retryhttp.Options{
			Options: retry.Options{MaxAttempts: 5, AttemptTimeout: time.Second},
			Base:    inside,
		})
		resp, err := transport.RoundTrip(get(t, t.Context()))
		stopped, ok := errors.AsType[*retry.Error](err)
		if resp != nil || !ok || !errors.Is(err, breaker.ErrOpen) || stopped.Attempts != 3 || stopped.Refused() {
			t.Errorf("got %v, %v", resp, err)
		}
		if calls != 2 {
			t.Errorf("%d requests reached the server, want 2", calls)
		}
	})
}
