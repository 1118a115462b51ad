package retryhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

var errBroken = errors.New("broken")

// failingReader reads nothing and fails.
type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// hanging is a body that hangs until its context ends.
type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// noRetries is a budget without a single retry.
func noRetries(t *testing.T) *retry.Budget {
	t.Helper()
	budget, err := retry.NewBudget(retry.BudgetOptions{Burst: retry.NoBurst})
	if err != nil {
		t.Fatal(err)
	}
	return budget
}

func TestAnAnswerThatIsNotRetriedIsHandedOnUnread(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		status int
		max    int
		number int // of the attempt that the call is a part of
	}{
		"a success":                         {http.MethodGet, 200, 0, 1},
		"a POST":                            {http.MethodPost, 503, 0, 1},
		"the last attempt's answer":         {http.MethodGet, 503, 1, 1},
		"one to a call that is sent once":   {http.MethodGet, 503, 0, 2},
		"one to it with unlimited attempts": {http.MethodGet, 503, retry.Unlimited, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reader, writer := io.Pipe() // reading it before RoundTrip has returned would block for ever
				transport := newTransport(t, retryhttp.Options{
					Options: retry.Options{MaxAttempts: c.max, FirstTriesOnly: true},
					Base:    base(func(*http.Request) (*http.Response, error) { return answer(c.status, reader, ""), nil }),
				})
				req := get(t, attempt.With(t.Context(), c.number))
				req.Method = c.method
				resp, err := transport.RoundTrip(req)
				go func() {
					_, _ = io.WriteString(writer, "streamed")
					_ = writer.Close()
				}()
				if status, body := read(t, resp, err); status != c.status || body != "streamed" {
					t.Errorf("got %d %q", status, body)
				}
			})
		})
	}
}

func TestAShortAnswerIsClosedBeforeTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &watched{Reader: strings.NewReader("not now")}
		transport := newTransport(t, retryhttp.Options{Base: base(func(*http.Request) (*http.Response, error) {
			return answer(503, body, "5"), nil
		})})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req := get(t, ctx)
		ended := make(chan error)
		go func() {
			_, err := transport.RoundTrip(req)
			ended <- err
		}()
		synctest.Wait() // until it waits for its second attempt
		if body.closed != 1 {
			t.Errorf("the body was closed %d times", body.closed)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnAnswerThatBreaksWhileItIsReadBreaksForItsReaderToo(t *testing.T) {
	body := &watched{Reader: io.MultiReader(strings.NewReader("half a pa"), failingReader{errBroken})}
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{Budget: noRetries(t)},
		Base:    base(func(*http.Request) (*http.Response, error) { return answer(503, body, ""), nil }),
	})
	resp, err := transport.RoundTrip(get(t, t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if string(got) != "half a pa" || !errors.Is(err, errBroken) {
		t.Errorf("read %q, %v", got, err)
	}
	if body.closed != 1 {
		t.Errorf("the body was closed %d times", body.closed)
	}
}

func TestAnAnswerWhoseBodyHangsKeepsItsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := newTransport(t, retryhttp.Options{
			Options: retry.Options{AttemptTimeout: time.Second, Budget: noRetries(t)},
			Base: base(func(r *http.Request) (*http.Response, error) {
				return answer(503, &watched{Reader: hanging{r.Context()}}, ""), nil
			}),
		})
		began := time.Now()
		resp, err := transport.RoundTrip(get(t, t.Context()))
		if err != nil || resp.StatusCode != 503 || time.Since(began) != time.Second {
			t.Fatalf("got %v, %v after %v", resp, err, time.Since(began))
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("its body was cut and reads as if it were whole")
		}
	})
}

func TestAnAnswerThatComesTooLateIsATimeoutAndItsBodyIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &watched{Reader: strings.NewReader("late")}
		transport := newTransport(t, retryhttp.Options{
			Options: retry.Options{AttemptTimeout: time.Second, MaxAttempts: 1},
			Base: base(func(*http.Request) (*http.Response, error) { // deaf to its context
				time.Sleep(2 * time.Second)
				return answer(200, body, ""), nil
			}),
		})
		resp, err := transport.RoundTrip(get(t, t.Context()))
		if resp != nil || !errors.Is(err, context.DeadlineExceeded) || body.closed != 1 {
			t.Errorf("got %v, %v, body closed %d times", resp, err, body.closed)
		}
	})
}

func TestAnAnswerThatComesTooLateForACallerWhoHasLeftIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := newTransport(t, retryhttp.Options{
			Options: retry.Options{AttemptTimeout: time.Second},
			Base: base(func(*http.Request) (*http.Response, error) { // deaf to its context
				time.Sleep(2 * time.Second)
				return answer(200, http.NoBody, ""), nil
			}),
		})
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, leave)
		_, err := transport.RoundTrip(get(t, ctx)) //nolint:bodyclose // there is none
		if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's own end alone", err)
		}
	})
}

func TestAnAnswerWithoutABodyHoldsNothing(t *testing.T) {
	var attempt context.Context
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{AttemptTimeout: time.Minute},
		Base: base(func(r *http.Request) (*http.Response, error) {
			attempt = r.Context()
			return answer(204, http.NoBody, ""), nil
		}),
	})
	resp, err := transport.RoundTrip(get(t, t.Context()))
	if err != nil || resp.Body != http.NoBody {
		t.Fatalf("got %v, %v", resp, err)
	}
	if attempt.Err() == nil {
		t.Error("the attempt's context goes on, and nobody has to close http.NoBody")
	}
}

func TestAnErrorThatIsNotRetriedIsTheBasesOwn(t *testing.T) {
	body := &watched{Reader: strings.NewReader("x")}
	transport := newTransport(t, retryhttp.Options{Base: base(func(*http.Request) (*http.Response, error) {
		return answer(200, body, ""), errBroken // against the contract: both
	})})
	req := get(t, t.Context())
	req.Method = http.MethodPost
	resp, err := transport.RoundTrip(req)
	if resp != nil || err != errBroken {
		t.Errorf("got %v, %v, want the error as it is", resp, err)
	}
	if body.closed != 1 {
		t.Errorf("the body was closed %d times", body.closed)
	}
}

func TestACallbackThatPanicsLeavesNoAnswerOpen(t *testing.T) {
	long := strings.Repeat("x", 1<<17) // more than is kept in memory
	for name, o := range map[string]retry.Options{
		"OnRetry":                          {Backoff: fast, OnRetry: func(context.Context, retry.Event) { panic("boom") }},
		"Retryable":                        {Backoff: fast, Retryable: func(error) bool { panic("boom") }},
		"Retryable after the only attempt": {MaxAttempts: 1, Retryable: func(error) bool { panic("boom") }},
	} {
		t.Run(name, func(t *testing.T) {
			body := &watched{Reader: strings.NewReader(long)}
			var attempt context.Context
			o.AttemptTimeout = time.Hour
			transport := newTransport(t, retryhttp.Options{Options: o, Base: base(func(r *http.Request) (*http.Response, error) {
				attempt = r.Context()
				return answer(503, body, ""), nil
			})})
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("recovered %v", got)
				}
				if body.closed == 0 || attempt.Err() == nil {
					t.Errorf("closed %d times, the attempt's context: %v", body.closed, attempt.Err())
				}
			}()
			_, _ = transport.RoundTrip(get(t, t.Context())) //nolint:bodyclose // there is none
		})
	}
}
