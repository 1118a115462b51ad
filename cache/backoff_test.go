package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

func TestAFailedKeyIsRefusedAtOnceWithTheLastErrorAndAHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.fails.Store(true)
		o := s.options()
		o.Name, o.ErrorBackoff = "users", 16*time.Second
		c := newCache(t, o)
		if err := wantErr(t, c, "a", errDown); err != errDown { //nolint:errorlint // exactly what the load returned
			t.Fatalf("the load's error is wrapped: %v", err)
		}
		err := wantErr(t, c, "a", cache.ErrBackoff)
		refused, ok := errors.AsType[*cache.BackoffError](err)
		if !ok || !errors.Is(err, errDown) || refused.Name != "users" || !refused.Refused() {
			t.Fatalf("Get = %#v", err)
		}
		if d := refused.RetryAfter(); d < 500*time.Millisecond || d > time.Second {
			t.Fatalf("RetryAfter = %v, want half to all of the first wait of 1 s", d)
		}
		s.wantLoads(t, 1)
		wantStats(t, c, cache.Stats{Errors: 2, Loads: 1, LoadFailures: 1, Entries: 1})
		s.fails.Store(false)
		time.Sleep(refused.RetryAfter())
		wantGet(t, c, "a", "a0")
	})
}

func TestTheWaitDoublesWithEachFailureInARowUpToErrorBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.fails.Store(true)
		o := s.options()
		o.ErrorBackoff = 16 * time.Second
		c := newCache(t, o)
		wait := func(full time.Duration) {
			t.Helper()
			wantErr(t, c, "a", errDown)
			refused, ok := errors.AsType[*cache.BackoffError](wantErr(t, c, "a", cache.ErrBackoff))
			if !ok || refused.After < full/2 || refused.After > full {
				t.Fatalf("the wait is %+v, want %v to %v", refused, full/2, full)
			}
			time.Sleep(refused.After)
		}
		for _, seconds := range []int{1, 2, 4, 8, 16, 16, 16} {
			wait(time.Duration(seconds) * time.Second)
		}
		s.fails.Store(false)
		wantGet(t, c, "a", "a0")
		s.fails.Store(true)
		time.Sleep(time.Minute)
		wait(time.Second) // a success starts over
		time.Sleep(time.Hour)
		wait(time.Second) // and so does a long time without loads
	})
}

func TestAStaleValueIsServedWithoutLoadsWhileBackingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleWhileRevalidate, o.StaleIfError, o.ErrorBackoff = time.Minute, time.Hour, 16*time.Second
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.fails.Store(true)
		began := time.Now()
		for range 600 { // a minute fresh, one refreshed behind, then loads in the foreground
			time.Sleep(time.Second)
			wantGet(t, c, "a", "a0")
			synctest.Wait()
		}
		if loads := s.loads.Load(); loads < 20 || loads > 90 {
			t.Fatalf("%d loads in %v, want one in 8 s to 16 s once the waits have grown", loads, time.Since(began))
		}
		s.fails.Store(false)
		s.value.Store(1)
		time.Sleep(16 * time.Second)
		wantGet(t, c, "a", "a1")
	})
}

// busy is a load error that says when to come back.
type busy time.Duration

func (busy) Error() string                                  { return "busy" }
func (b busy) RetryAfter() time.Duration                    { return time.Duration(b) }
func (busy) Refused() bool                                  { return true }
func (b busy) String() string                               { return fmt.Sprint(time.Duration(b)) }
func (b busy) load(context.Context, string) (string, error) { return "", b }

func TestAHintInTheErrorIsObeyedUpToErrorBackoff(t *testing.T) {
	for hint, want := range map[busy][2]time.Duration{
		busy(5 * time.Second):  {5 * time.Second, 6 * time.Second},
		busy(time.Hour):        {16 * time.Second, 16 * time.Second},
		busy(time.Millisecond): {500 * time.Millisecond, time.Second},
	} {
		t.Run(hint.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s source
				o := s.options()
				o.ErrorBackoff, o.Load = 16*time.Second, hint.load
				c := newCache(t, o)
				wantErr(t, c, "a", hint)
				refused, ok := errors.AsType[*cache.BackoffError](wantErr(t, c, "a", cache.ErrBackoff))
				if !ok || refused.After < want[0] || refused.After > want[1] {
					t.Fatalf("the wait is %+v, want %v to %v", refused, want[0], want[1])
				}
			})
		})
	}
}

func TestWithoutBackoffEveryGetMayLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.fails.Store(true)
		c := newCache(t, s.options())
		for range 3 {
			wantErr(t, c, "a", errDown)
		}
		s.wantLoads(t, 3)
		wantStats(t, c, cache.Stats{Errors: 3, Loads: 3, LoadFailures: 3})
	})
}
