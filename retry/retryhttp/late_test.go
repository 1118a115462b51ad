package retryhttp_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// An answer and the end of AttemptTimeout may come at the same moment. Then it is an answer or a deadline, and never the
// cancellation that a caller would take for its own.
func TestAnAnswerAtTheMomentOfTheTimeoutIsAnAnswerOrADeadline(t *testing.T) {
	for _, withBody := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var body *watched
			transport := newTransport(t, retryhttp.Options{
				Options: retry.Options{AttemptTimeout: time.Second, MaxAttempts: 1},
				Base: base(func(*http.Request) (*http.Response, error) {
					time.Sleep(time.Second)
					body = &watched{Reader: strings.NewReader("fine")}
					if !withBody {
						return answer(204, http.NoBody, ""), nil
					}
					return answer(200, body, ""), nil
				}),
			})
			for range 500 {
				resp, err := transport.RoundTrip(get(t, t.Context()))
				switch {
				case err == nil:
					read(t, resp, nil)
				case errors.Is(err, context.Canceled) || !errors.Is(err, context.DeadlineExceeded):
					t.Fatalf("got %v", err)
				}
				if withBody && body.closed != 1 {
					t.Fatalf("%v, and its body was closed %d times", err, body.closed)
				}
			}
		})
	}
}
