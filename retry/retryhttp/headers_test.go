package retryhttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// sent runs one exchange of which every attempt takes a second and fails with 503, a second before the next one, and returns what each attempt's header
// said: attempt and timeout, "-" for a field that is not there.
func sent(t *testing.T, o retryhttp.Options, req *http.Request) (told []string) {
	t.Helper()
	o.Backoff = fast
	o.Budget = retry.NoBudget
	field := func(r *http.Request, name string) string {
		values, there := r.Header[name]
		if !there {
			return "-"
		}
		return strings.Join(values, ",")
	}
	o.Base = base(func(r *http.Request) (*http.Response, error) {
		told = append(told, field(r, retryhttp.AttemptHeader)+" "+field(r, retryhttp.TimeoutHeader))
		time.Sleep(time.Second)
		return answer(503, http.NoBody, "1"), nil
	})
	resp, err := newTransport(t, o).RoundTrip(req)
	read(t, resp, err)
	return told
}

func TestAServerIsToldTheAttemptAndTheTimeThatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		options  retryhttp.Options
		deadline time.Duration // of the call, 0 for none
		header   http.Header
		want     []string
	}{
		"without a deadline the attempt alone, from the second on": {
			want: []string{"- -", "2 -", "3 -"},
		},
		"the call's deadline": {
			deadline: 10 * time.Second,
			want:     []string{"- 10000", "2 8000", "3 6000"},
		},
		"AttemptTimeout, anew for each attempt": {
			options: retryhttp.Options{Options: retry.Options{AttemptTimeout: 1500 * time.Millisecond}},
			want:    []string{"- 1500", "2 1500", "3 1500"},
		},
		"the earlier of the two": {
			options:  retryhttp.Options{Options: retry.Options{AttemptTimeout: 6500 * time.Millisecond}},
			deadline: 10 * time.Second,
			want:     []string{"- 6500", "2 6500", "3 6000"},
		},
		"whole milliseconds, never more than is left": {
			options: retryhttp.Options{Options: retry.Options{AttemptTimeout: 1999*time.Millisecond + 999*time.Microsecond}},
			want:    []string{"- 1999", "2 1999", "3 1999"},
		},
		"nothing with OmitHeaders": {
			options:  retryhttp.Options{OmitHeaders: true},
			deadline: 10 * time.Second,
			want:     []string{"- -", "- -", "- -"},
		},
		"what the caller has set stays": {
			deadline: 10 * time.Second,
			header:   http.Header{"Joist-Attempt": {"7"}, "Joist-Timeout": {"5"}},
			want:     []string{"7 5", "7 5", "7 5"},
		},
		"a field that the caller has set to nothing stays": {
			deadline: 10 * time.Second,
			header:   http.Header{"Joist-Timeout": nil},
			want:     []string{"- ", "2 ", "3 "},
		},
		"a request without a header": {
			deadline: 10 * time.Second,
			header:   nil,
			want:     []string{"- 10000", "2 8000", "3 6000"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				req := get(t, ctx)
				req.Header = c.header.Clone()
				if got := sent(t, c.options, req); !slices.Equal(got, c.want) {
					t.Errorf("attempts were sent with %q, want %q", got, c.want)
				}
				if len(req.Header) != len(c.header) {
					t.Errorf("the caller's header is now %v", req.Header)
				}
			})
		})
	}
}

func TestACallThatIsARetryAlreadySaysSoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := sent(t, retryhttp.Options{Options: retry.Options{MaxAttempts: 1}}, get(t, attempt.With(t.Context(), 4)))
		if want := []string{"4 -"}; !slices.Equal(got, want) {
			t.Errorf("sent with %q, want %q", got, want)
		}
	})
}

func TestEveryAttemptOfACallThatIsARetryIsSentAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i, told := range sent(t, retryhttp.Options{}, get(t, attempt.With(t.Context(), 2))) {
			if strings.HasPrefix(told, "- ") {
				t.Errorf("attempt %d was sent as a first one", i+1)
			}
		}
	})
}

func TestTheFirstAttemptOfAPlainCallSendsTheCallersOwnRequest(t *testing.T) {
	req := get(t, t.Context())
	transport := newTransport(t, retryhttp.Options{Base: base(func(r *http.Request) (*http.Response, error) {
		if r != req {
			t.Error("a copy was sent")
		}
		return answer(200, http.NoBody, ""), nil
	})})
	resp, err := transport.RoundTrip(req)
	read(t, resp, err)
}

// What follows is the other side.

// received serves a request with the given header fields and returns the context that the handler inside got.
func received(t *testing.T, ctx context.Context, header http.Header) (got context.Context) { //nolint:revive // t comes first everywhere
	t.Helper()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header = header
	retryhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.Context()
	})).ServeHTTP(httptest.NewRecorder(), r)
	return got
}

func TestTheHandlerPutsTheAttemptIntoTheContext(t *testing.T) {
	for value, want := range map[string]int{"2": 2, "17": 17, "1": 1, "999999999999999999999": retryhttp.MaxAttempt, "-3": 1, "two": 1} {
		if got := retry.Attempt(received(t, t.Context(), http.Header{"Joist-Attempt": {value}})); got != want {
			t.Errorf("%q is attempt %d, want %d", value, got, want)
		}
	}
}

func TestTheHandlerPutsADeadlineIntoTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := received(t, t.Context(), http.Header{"Joist-Timeout": {"350"}})
		deadline, ok := ctx.Deadline()
		if !ok || time.Until(deadline) != 350*time.Millisecond {
			t.Errorf("the deadline is in %v, %v", time.Until(deadline), ok)
		}
		if ctx.Err() == nil {
			t.Error("the context outlives its request")
		}
	})
}

func TestADeadlineThatPassesWhileAHandlerWorksEndsItsContextWithACauseThatIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Joist-Timeout", "350")
		began := time.Now()
		retryhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			if took := time.Since(began); took != 350*time.Millisecond {
				t.Errorf("it ended after %v", took)
			}
			cause := context.Cause(r.Context())
			if r.Context().Err() != context.DeadlineExceeded || !errors.Is(cause, context.DeadlineExceeded) || !strings.Contains(cause.Error(), "Joist-Timeout") {
				t.Errorf("it ended with %v, because of %v", r.Context().Err(), cause)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	})
}

func TestACallerWhoHasNoTimeLeftGivesAContextThatIsOver(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Joist-Timeout", "0")
	called := false
	retryhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called = true
		if r.Context().Err() != context.DeadlineExceeded {
			t.Errorf("the context has %v", r.Context().Err())
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if !called {
		t.Error("what to do about it was not the handler's to decide")
	}
}

func TestNoTimeoutGivesMoreTimeThanThereWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		deadline, _ := received(t, ctx, http.Header{"Joist-Timeout": {"5000"}}).Deadline()
		if left := time.Until(deadline); left != time.Second {
			t.Errorf("%v are left", left)
		}
	})
}

func TestARequestThatTellsNothingIsHandedOnAsItIs(t *testing.T) {
	for name, header := range map[string]http.Header{
		"no field":     {},
		"no header":    nil,
		"nonsense":     {"Joist-Attempt": {"NaN"}, "Joist-Timeout": {"-5"}},
		"twice":        {"Joist-Attempt": {"2", "3"}, "Joist-Timeout": {"5", "6"}},
		"out of range": {"Joist-Timeout": {"99999999999999999999999999"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header = header
			retryhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) {
				if got != r {
					t.Error("a copy was handed on")
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

func TestAHandlerThatPanicsReleasesItsDeadline(t *testing.T) {
	var ctx context.Context
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Joist-Timeout", "86400000")
	defer func() {
		if got := recover(); got != "boom" || ctx.Err() == nil {
			t.Errorf("recovered %v, the context: %v", got, ctx.Err())
		}
	}()
	retryhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx = r.Context()
		panic("boom")
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestAHandlerOfNothingPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("accepted")
		}
	}()
	retryhttp.Handler(nil)
}

// Three tiers: what the first one's Transport tells, the last one's handler knows.
func TestTiersTellEachOtherOverRealConnections(t *testing.T) {
	last := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		retryhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, limited := r.Context().Deadline()
			if retry.Attempt(r.Context()) != n || !limited {
				t.Errorf("request %d is attempt %d, with a deadline: %v", n, retry.Attempt(r.Context()), limited)
			}
			if n < 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})).ServeHTTP(w, r)
	})
	inner := newClient(t, retryhttp.Options{Options: retry.Options{MaxAttempts: 1}})
	middle := httptest.NewServer(retryhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, last.URL, nil)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := inner.Do(req)
		status, _ := read(t, resp, err)
		w.WriteHeader(status)
	})))
	t.Cleanup(middle.Close)

	outer := newClient(t, retryhttp.Options{Options: retry.Options{AttemptTimeout: 10 * time.Second}})
	resp, err := outer.Get(middle.URL)
	if status, _ := read(t, resp, err); status != 200 || len(last.got()) != 2 {
		t.Errorf("got %d after %d requests to the last tier, want 200 after 2", status, len(last.got()))
	}
}
