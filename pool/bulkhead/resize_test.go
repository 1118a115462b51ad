package bulkhead_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

func TestALimitLoweredBelowTheCallsInFlightHoldsWhenTheyHaveEnded(t *testing.T) {
	b := fixed(t, 3)
	open := []held{hold(b), hold(b), hold(b)}
	if err := b.SetLimit(1); err != nil {
		t.Fatal(err)
	}
	for i, h := range open {
		if got := b.Stats(); got.InFlight != 3-i || got.Limit != 1 {
			t.Errorf("%+v", got)
		}
		if err := b.Do(t.Context(), nothing); !errors.Is(err, bulkhead.ErrFull) {
			t.Errorf("entered beside %d calls: %v", 3-i, err)
		}
		if err := h.end(); err != nil {
			t.Error(err)
		}
	}
	if err := b.Do(t.Context(), nothing); err != nil {
		t.Error(err)
	}
}

func TestALimitThatIsRaisedLetsWaitersIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 5}), time.Second/10)
		for _, name := range []string{"a", "b", "c", "d"} {
			l.join(t.Context(), name)
		}
		if err := l.b.SetLimit(3); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := l.b.Stats(); got.InFlight != 3 || got.Queued != 1 {
			t.Errorf("%+v", got)
		}
		l.pass(time.Second)
	})
}

func TestSetLimitRefusesWhatIsNoLimitAndWhatFindsItsOwn(t *testing.T) {
	b := fixed(t, 3)
	for _, n := range []int{0, -1, bulkhead.MaxLimit + 1} {
		if err := b.SetLimit(n); err == nil || b.Stats().Limit != 3 {
			t.Errorf("%d: %v, %+v", n, err, b.Stats())
		}
	}
	if err := limited(t, bulkhead.AIMD{}).SetLimit(5); err == nil {
		t.Error("the limit of an AIMD was set")
	}
}

// However calls end, and whoever waits for their slots, none is lost.
func TestNoSlotIsLostToAPanicOrAGoexit(t *testing.T) {
	for name, o := range map[string]bulkhead.Options{
		"fixed":          {Limit: bulkhead.Fixed(2)},
		"fixed, queue":   {Limit: bulkhead.Fixed(2), MaxQueue: 1000, MaxWait: 3 * time.Second, CoDelInterval: bulkhead.NoCoDel},
		"aimd":           {Limit: bulkhead.AIMD{Initial: 2}},
		"gradient,queue": {Limit: bulkhead.Gradient{Initial: 2}, MaxQueue: 1000, MaxWait: 3 * time.Second, CoDelInterval: bulkhead.NoCoDel},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := bulkhead.New(o)
			if err != nil {
				t.Fatal(err)
			}
			var calls sync.WaitGroup
			for i := range 300 {
				calls.Go(func() {
					defer func() { _ = recover() }()
					_, _ = bulkhead.DoValue(t.Context(), b, func(context.Context) (int, error) {
						runtime.Gosched()
						switch i % 3 {
						case 0:
							panic("boom")
						case 1:
							runtime.Goexit()
						}
						return 0, nil
					})
				})
			}
			calls.Wait()
			if got := b.Stats(); got.InFlight != 0 || got.Queued != 0 {
				t.Errorf("%+v", got)
			}
			if err := b.Do(t.Context(), nothing); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheLimitHoldsWithAQueueUnderLoadAndEveryCallIsCountedOnce(t *testing.T) {
	const limit, callers, calls = 3, 12, 1500
	b := queueing(t, limit, bulkhead.Options{MaxQueue: 4, MaxWait: time.Millisecond})
	var (
		mu     sync.Mutex
		inside int
		all    sync.WaitGroup
	)
	for range callers {
		all.Go(func() {
			for i := range calls {
				ctx, cancel := context.WithCancel(t.Context())
				if i%7 == 0 {
					go cancel()
				}
				_ = b.Do(ctx, func(context.Context) error {
					mu.Lock()
					if inside++; inside > limit {
						t.Errorf("%d calls in flight", inside)
					}
					mu.Unlock()
					runtime.Gosched()
					mu.Lock()
					inside--
					mu.Unlock()
					return nil
				})
				cancel()
			}
		})
	}
	all.Wait()
	got := b.Stats()
	if got.Accepted+got.Rejected+got.TimedOut+got.Shed+got.Cancelled != callers*calls || got.InFlight != 0 || got.Queued != 0 {
		t.Errorf("%+v", got)
	}
}
