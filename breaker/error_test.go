package breaker_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

func TestARefusalSaysWhoWhyAndHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Name: "users", MinCalls: 4, OpenFor: 8 * time.Second, MaxOpenFor: 8 * time.Second}))
		wantErr(t, succeed(b), nil)
		for range 3 {
			wantErr(t, fail(b), errDown)
		}
		time.Sleep(3 * time.Second)
		err := succeed(b)
		open, ok := errors.AsType[*breaker.OpenError](err)
		if !ok || !errors.Is(err, breaker.ErrOpen) || !open.Refused() {
			t.Fatalf("refused with %v", err)
		}
		if open.Name != "users" || open.State != breaker.Open || open.Wait != 8*time.Second || open.FailureRatio != 0.75 {
			t.Errorf("%+v", open)
		}
		if open.RetryAfter() != 5*time.Second || b.Stats().RetryAfter != 5*time.Second {
			t.Errorf("RetryAfter = %v, in Stats %v, want 5s", open.RetryAfter(), b.Stats().RetryAfter)
		}
		if !strings.HasPrefix(err.Error(), "joist/breaker: ") || !strings.Contains(err.Error(), `"users" is open for another 5s`) {
			t.Errorf("%q", err)
		}
		time.Sleep(time.Hour)
		if open.RetryAfter() != 0 {
			t.Errorf("RetryAfter = %v when the wait is over", open.RetryAfter())
		}
	})
}

func TestARefusalOfAHalfOpenBreakerGuessesHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 1)
		p := must(b.Allow(t.Context()))
		defer p.Done(nil)
		open, ok := errors.AsType[*breaker.OpenError](succeed(b))
		if !ok || open.State != breaker.HalfOpen || open.RetryAfter() != time.Second || open.Name != "default" {
			t.Fatalf("%+v", open)
		}
		if !strings.Contains(open.Error(), "half-open") {
			t.Errorf("%q", open)
		}
	})
}

func TestAnOpenErrorOfYourOwnAnswersItsWait(t *testing.T) {
	e := &breaker.OpenError{Name: "x", Wait: time.Minute}
	if e.RetryAfter() != time.Minute {
		t.Errorf("RetryAfter = %v", e.RetryAfter())
	}
}

func TestStatesHaveNames(t *testing.T) {
	for s, want := range map[breaker.State]string{
		breaker.Closed: "closed", breaker.Open: "open", breaker.HalfOpen: "half_open", 9: "unknown",
	} {
		if s.String() != want {
			t.Errorf("%d is %q, want %q", s, s, want)
		}
	}
	if got := breaker.Last(time.Minute).String(); got != "Last(1m0s)" {
		t.Errorf("a window is %q", got)
	}
}
