package balance_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/balance"
)

// Calls that end in every way, on all cores, while endpoints come, go and are ejected. No call may be lost or left in
// flight, and none may reach an endpoint that is not on any list.
func TestEveryCallCountsOnceWhileEndpointsComeAndGo(t *testing.T) {
	const callers, calls = 8, 3000
	all := names(12)
	known := map[string]bool{}
	for _, e := range all {
		known[e] = true
	}
	b := newBalancer(t, balance.Options[string]{Endpoints: all, EjectFor: time.Millisecond, MaxEjectFor: 2 * time.Millisecond, SlowStart: 3 * time.Millisecond})
	r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: all})
	var successes, failures atomic.Int64
	var wg, callersDone sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			list := all[i%6 : i%6+6]
			if err := errors.Join(b.SetEndpoints(list), r.SetEndpoints(list)); err != nil {
				t.Error(err)
			}
			if s := b.Stats(); s.Ejected > 3 || s.Ready+s.SlowStart+s.Suspect+s.Ejected != 6 || min(s.Ready, s.SlowStart, s.Suspect, s.InFlight) < 0 {
				t.Errorf("%+v", s)
			}
			b.Endpoints()
			runtime.Gosched()
		}
	})
	for c := range callers {
		callersDone.Go(func() {
			for i := range calls {
				fn := func(_ context.Context, e string) error {
					if !known[e] {
						t.Errorf("a call to %q", e)
					}
					switch {
					case (c+i)%11 == 0:
						failures.Add(1)
						panic("boom")
					case (c+i)%13 == 0:
						failures.Add(1)
						runtime.Goexit()
					case e < "d":
						failures.Add(1)
						return errDown
					}
					successes.Add(1)
					return nil
				}
				run := func() {
					defer func() { _ = recover() }() // the call's panic
					switch i % 4 {
					case 0:
						_ = b.Do(context.Background(), fn)
					case 1:
						call := b.Call()
						for range 3 {
							_ = call.Do(context.Background(), fn)
						}
					case 2:
						p, err := b.Pick(context.Background(), "e", "f")
						if err == nil {
							failures.Add(1)
							p.Done(errDown)
						}
					case 3:
						_ = r.Do(context.Background(), "key", fn)
					}
				}
				var ended sync.WaitGroup
				ended.Go(run) // a Goexit ends its goroutine
				ended.Wait()
			}
		})
	}
	callersDone.Wait()
	close(stop)
	wg.Wait()
	if err := b.SetEndpoints(all); err != nil {
		t.Fatal(err)
	}
	s, rs := b.Stats(), r.Stats()
	if s.InFlight != 0 || rs.InFlight != 0 {
		t.Errorf("in flight: %d and %d", s.InFlight, rs.InFlight)
	}
	if s.Successes+rs.Successes != successes.Load() || s.Failures+rs.Failures != failures.Load() || s.Refused != 0 {
		t.Errorf("%+v, %+v; want %d successes, %d failures", s, rs, successes.Load(), failures.Load())
	}
	if s.Ejections == 0 {
		t.Error("nothing was ejected")
	}
}

// The attempts of a hedge share a Call.
func TestACallIsSafeForAttemptsAtTheSameTime(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(10)})
	for range 200 {
		call := b.Call()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { _ = call.Do(context.Background(), work) })
		}
		wg.Wait()
		if call.Tried() != 4 {
			t.Fatalf("%d attempts", call.Tried())
		}
	}
	if s := b.Stats(); s.InFlight != 0 || s.Successes != 800 {
		t.Errorf("%+v", s)
	}
}

func TestMaxLoadHoldsForCallsThatComeAtTheSameTime(t *testing.T) {
	const n, callers = 4, 8
	for range 300 {
		r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(n)})
		picks := make([]balance.Pick[string], callers)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range picks {
			wg.Go(func() {
				<-start
				picks[i], _ = r.Pick(context.Background(), "key")
			})
		}
		close(start)
		wg.Wait()
		counts := map[string]int{}
		for i := range picks {
			counts[picks[i].Endpoint]++
		}
		if got := most(counts); got > 3 { // 1.25 × 8 / 4, rounded up
			t.Fatalf("%d of %d calls are at one of %d endpoints", got, callers, n)
		}
		for i := range picks {
			picks[i].Done(nil)
		}
		if got := r.Stats().InFlight; got != 0 {
			t.Fatalf("%d calls are left in flight", got)
		}
	}
}
