package retryhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// base is a RoundTripper as a function, for tests in virtual time, where no real server can be.
type base func(*http.Request) (*http.Response, error)

func (f base) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watched is a body that tells whether it was closed.
type watched struct {
	io.Reader
	closed int
}

func (w *watched) Close() error { w.closed++; return nil }

func answer(status int, body io.ReadCloser, retryAfter string) *http.Response {
	h := http.Header{}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return &http.Response{StatusCode: status, Header: h, Body: body}
}

func newTransport(t *testing.T, o retryhttp.Options) *retryhttp.Transport {
	t.Helper()
	transport, err := retryhttp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

func get(t *testing.T, ctx context.Context) *http.Request { //nolint:revive // t comes first everywhere
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://x.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	for name, value := range map[string]string{
		"seconds": "7", "IMF-fixdate": http.TimeFormat, "RFC 850": "Monday, 02-Jan-06 15:04:05 GMT", "asctime": time.ANSIC,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if name != "seconds" {
					value = began.UTC().Add(7 * time.Second).Format(value)
				}
				calls := 0
				transport := newTransport(t, retryhttp.Options{Base: base(func(*http.Request) (*http.Response, error) {
					if calls++; calls == 1 {
						return answer(503, http.NoBody, value), nil
					}
					return answer(200, http.NoBody, ""), nil
				})})
				resp, err := transport.RoundTrip(get(t, t.Context()))
				if status, _ := read(t, resp, err); status != 200 {
					t.Errorf("got %d", status)
				}
				if took := time.Since(began); took != 7*time.Second {
					t.Errorf("it took %v, want 7s", took)
				}
			})
		})
	}
}

func TestAnAnswerWhoseHintDoesNotFitIsReturnedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		deadline   time.Duration
		retryAfter string
	}{
		"above MaxHint":     {time.Hour, "3600"},
		"past the deadline": {time.Second, "5"},
		"out of all bounds": {time.Hour, "99999999999999999999"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				calls := 0
				transport := newTransport(t, retryhttp.Options{Base: base(func(*http.Request) (*http.Response, error) {
					calls++
					return answer(429, &watched{Reader: strings.NewReader("slow down")}, c.retryAfter), nil
				})})
				began := time.Now()
				resp, err := transport.RoundTrip(get(t, ctx))
				if status, body := read(t, resp, err); status != 429 || body != "slow down" || resp.Header.Get("Retry-After") != c.retryAfter {
					t.Errorf("got %d %q %v", status, body, resp.Header)
				}
				if calls != 1 || time.Since(began) != 0 {
					t.Errorf("%d calls in %v", calls, time.Since(began))
				}
			})
		})
	}
}

func TestASpentBudgetReturnsTheAnswer(t *testing.T) {
	budget, err := retry.NewBudget(retry.BudgetOptions{Burst: retry.NoBurst})
	if err != nil {
		t.Fatal(err)
	}
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{Budget: budget},
		Base: base(func(*http.Request) (*http.Response, error) {
			return answer(503, &watched{Reader: strings.NewReader("no")}, ""), nil
		}),
	})
	resp, err := transport.RoundTrip(get(t, t.Context()))
	if status, body := read(t, resp, err); status != 503 || body != "no" {
		t.Errorf("got %d %q", status, body)
	}
	if s := transport.Stats(); s.Budget != 1 {
		t.Errorf("stats are %+v", s)
	}
}

func TestACallerWhoLeavesDuringTheWaitGetsAnErrorAndNoBodyStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &watched{Reader: strings.NewReader(strings.Repeat("x", 100<<10))}
		transport := newTransport(t, retryhttp.Options{Base: base(func(*http.Request) (*http.Response, error) {
			return answer(503, body, "5"), nil
		})})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		resp, err := transport.RoundTrip(get(t, ctx))
		status, ok := errors.AsType[*retryhttp.StatusError](err)
		if resp != nil || !ok || !errors.Is(err, context.Canceled) || status.StatusCode != 503 {
			t.Errorf("got %v, %v", resp, err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("answered after %v", took)
		}
		if body.closed != 1 {
			t.Errorf("the answer's body was closed %d times", body.closed)
		}
	})
}

func TestAnAttemptThatHangsIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		transport := newTransport(t, retryhttp.Options{
			Options: retry.Options{AttemptTimeout: time.Second, Backoff: fast},
			Base: base(func(r *http.Request) (*http.Response, error) {
				if calls++; calls < 3 {
					<-r.Context().Done()
					return nil, r.Context().Err() // as older transports do: it looks like the caller's leaving
				}
				return answer(200, http.NoBody, ""), nil
			}),
		})
		resp, err := transport.RoundTrip(get(t, t.Context()))
		if status, _ := read(t, resp, err); status != 200 || calls != 3 {
			t.Errorf("got %d after %d attempts", status, calls)
		}
	})
}

func TestAnAttemptThatHangsIsADeadlineAndNotACancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		transport := newTransport(t, retryhttp.Options{
			Options: retry.Options{AttemptTimeout: time.Second, MaxAttempts: 1},
			Base: base(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				cause = context.Cause(r.Context())
				return nil, r.Context().Err()
			}),
		})
		_, err := transport.RoundTrip(get(t, t.Context())) //nolint:bodyclose // there is none
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("blocks inside see the cause %v", cause)
		}
	})
}

func TestABodyMayBeReadForLongerThanTheAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempt context.Context
		transport := newTransport(t, retryhttp.Options{
			Options: retry.Options{AttemptTimeout: time.Second},
			Base: base(func(r *http.Request) (*http.Response, error) {
				attempt = r.Context()
				return answer(200, &watched{Reader: strings.NewReader("slow")}, ""), nil
			}),
		})
		resp, err := transport.RoundTrip(get(t, t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if attempt.Err() != nil {
			t.Error("the attempt's context ended before its body was closed")
		}
		if _, body := read(t, resp, nil); body != "slow" {
			t.Errorf("got %q", body)
		}
		if attempt.Err() == nil {
			t.Error("the attempt's context outlives its body")
		}
	})
}

func TestAContextThatIsOverSendsNothingAndClosesTheBody(t *testing.T) {
	transport := newTransport(t, retryhttp.Options{Base: base(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return answer(200, http.NoBody, ""), nil
	})})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &watched{Reader: strings.NewReader("x")}
	req := get(t, ctx)
	req.Method, req.Body = http.MethodPost, body
	if _, err := transport.RoundTrip(req); !errors.Is(err, context.Canceled) { //nolint:bodyclose // there is none
		t.Errorf("got %v", err)
	}
	if body.closed != 1 {
		t.Errorf("the body was closed %d times", body.closed)
	}
}

// TestClientsRecognizeATimeout is what net/http promises: the url.Error's Timeout method reports that a request timed out.
func TestClientsRecognizeATimeout(t *testing.T) {
	hangs := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	resets := func(*http.Request) (*http.Response, error) { return nil, errBroken }
	unavailable := func(*http.Request) (*http.Response, error) { return answer(503, http.NoBody, "5"), nil }
	for name, c := range map[string]struct {
		options  retry.Options
		base     base
		deadline time.Duration
		want     bool
	}{
		"the only attempt":                   {retry.Options{AttemptTimeout: time.Second, MaxAttempts: 1}, hangs, time.Hour, true},
		"every attempt":                      {retry.Options{AttemptTimeout: time.Second}, hangs, time.Hour, true},
		"the caller's deadline":              {retry.Options{}, hangs, time.Second, true},
		"a wait that the deadline has ended": {retry.Options{Backoff: retry.Exponential(time.Hour, time.Hour)}, resets, time.Second, true},
		"resets":                             {retry.Options{}, resets, time.Hour, false},
		"an answer":                          {retry.Options{}, unavailable, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				client := &http.Client{Transport: newTransport(t, retryhttp.Options{Options: c.options, Base: c.base})}
				resp, err := client.Do(get(t, ctx))
				if err == nil {
					_ = resp.Body.Close()
				}
				failed, _ := errors.AsType[*url.Error](err)
				if got := failed != nil && failed.Timeout(); got != c.want {
					t.Errorf("timeout: %v, want %v: %v", got, c.want, err)
				}
			})
		})
	}
}
