package breakerhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
)

// after is a base whose answers have their header after a time, and then the given body.
func after(header time.Duration, body io.Reader) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(header):
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// slowReader takes an hour to end.
type slowReader struct{}

func (slowReader) Read([]byte) (int, error) {
	time.Sleep(time.Hour)
	return 0, io.EOF
}

// brokenReader breaks off.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestARequestIsSlowByTheTimeToItsHeaderAlone(t *testing.T) {
	for name, c := range map[string]struct {
		base roundTripper
		slow int64
	}{
		"a header that takes long":           {after(2*time.Second, strings.NewReader("")), 1},
		"a header in time and a long body":   {after(time.Millisecond, slowReader{}), 0},
		"a header that takes just too long":  {after(time.Second, strings.NewReader("")), 1},
		"a header that is just quick enough": {after(999*time.Millisecond, strings.NewReader("")), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := newTransport(t, breakerhttp.Options{
					Options: breaker.Options{MinCalls: 100, SlowCall: time.Second},
					Base:    c.base,
				})
				if err := get(t, transport, "http://slow.test"); err != nil {
					t.Fatal(err)
				}
				if s := transport.Stats(); s.Slow != c.slow || s.Successes != 1-c.slow || s.Failures != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestASlowAnswerWhoseBodyBreaksOffStaysOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := newTransport(t, breakerhttp.Options{
			Options: breaker.Options{MinCalls: 100, SlowCall: time.Second},
			Base:    after(2*time.Second, brokenReader{}),
		})
		if err := get(t, transport, "http://slow.test"); err == nil {
			t.Fatal("the whole body came")
		}
		if s := transport.Stats(); s.Slow+s.Failures != 1 || s.Successes != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAHostThatOnlyHangsIsRefusedWhileItsRequestsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := newTransport(t, breakerhttp.Options{
			Options: breaker.Options{MinCalls: 5, SlowCall: time.Second, SlowRatio: 0.8},
			Base:    after(time.Hour, strings.NewReader("")),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var requests sync.WaitGroup
		for range 5 {
			requests.Go(func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://slow.test", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := transport.RoundTrip(req); !errors.Is(err, context.Canceled) {
					t.Errorf("a request that hangs ended with %v", err)
				}
			})
		}
		time.Sleep(1500 * time.Millisecond)
		if err := get(t, transport, "http://slow.test"); !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("got %v", err)
		}
		cancel()
		requests.Wait()
	})
}
