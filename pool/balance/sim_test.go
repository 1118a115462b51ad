package balance_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/pool/balance"
	"github.com/joist-go/joist/retry"
)

// fleet is ten servers, each with its own time per call and, for a while, out of order.
type fleet struct {
	took  map[string]time.Duration // a call takes from half of it to one and a half
	fails map[string]time.Duration // how long a server fails, from the start
	began time.Time

	mu     sync.Mutex
	random *rand.Rand
	calls  map[string][]time.Duration // when each server was called, since the start
}

func newFleet() *fleet {
	f := &fleet{
		took: map[string]time.Duration{}, fails: map[string]time.Duration{}, calls: map[string][]time.Duration{},
		began: time.Now(), random: rand.New(rand.NewPCG(1, 2)),
	}
	for _, e := range names(10) {
		f.took[e] = 10 * time.Millisecond
	}
	return f
}

func (f *fleet) call(_ context.Context, e string) error {
	f.mu.Lock()
	at := time.Since(f.began)
	f.calls[e] = append(f.calls[e], at)
	took := time.Duration((0.5 + f.random.Float64()) * float64(f.took[e]))
	f.mu.Unlock()
	if at < f.fails[e] {
		time.Sleep(time.Millisecond)
		return errDown
	}
	time.Sleep(took)
	return nil
}

// count returns how many calls a server had from one moment to another.
func (f *fleet) count(e string, from, to time.Duration) int {
	n := 0
	for _, at := range f.calls[e] {
		if at >= from && at < to {
			n++
		}
	}
	return n
}

// outcome is what became of the calls of one load.
type outcome struct {
	took           []time.Duration // of those that succeeded
	failed, lately int             // in all, and of those that began after two seconds
	late           int             // calls that began after two seconds
}

// load makes calls at random moments, so many per second on average.
func (f *fleet) load(rate float64, last time.Duration, do func(context.Context) error) outcome {
	var (
		o  outcome
		mu sync.Mutex
		wg sync.WaitGroup
	)
	for {
		f.mu.Lock()
		pause := time.Duration(f.random.ExpFloat64() / rate * float64(time.Second))
		f.mu.Unlock()
		time.Sleep(pause)
		began := time.Since(f.began)
		if began > last {
			break
		}
		wg.Go(func() {
			err := do(context.Background())
			mu.Lock()
			defer mu.Unlock()
			late := began >= 2*time.Second
			if late {
				o.late++
			}
			if err == nil {
				o.took = append(o.took, time.Since(f.began)-began)
				return
			}
			o.failed++
			if late {
				o.lately++
			}
		})
	}
	wg.Wait()
	return o
}

func (o outcome) quantile(q float64) time.Duration {
	slices.Sort(o.took)
	return o.took[int(q*float64(len(o.took)-1))]
}

// roundRobin picks one after the other.
func roundRobin(do func(context.Context, string) error) func(context.Context) error {
	all, next, mu := names(10), 0, sync.Mutex{}
	return func(ctx context.Context) error {
		mu.Lock()
		e := all[next%len(all)]
		next++
		mu.Unlock()
		return do(ctx, e)
	}
}

func TestASlowEndpointIsSparedAndAFailingOneEjectedUntilItIsBack(t *testing.T) {
	const (
		rate = 1000
		last = 60 * time.Second
		sick = 8 * time.Second
		slow = "b"
		bad  = "c"
	)
	run := func(t *testing.T, do func(f *fleet) func(context.Context) error) (f *fleet, o outcome) {
		synctest.Test(t, func(*testing.T) {
			f = newFleet()
			f.took[slow], f.fails[bad] = 100*time.Millisecond, sick
			o = f.load(rate, last, do(f))
		})
		return f, o
	}
	robin, robins := run(t, func(f *fleet) func(context.Context) error { return roundRobin(f.call) })
	var (
		b      *balance.Balancer[string]
		states []balance.State // of the failing endpoint, each 100 ms
	)
	ours, o := run(t, func(f *fleet) func(context.Context) error {
		b = newBalancer(t, balance.Options[string]{Endpoints: names(10)})
		go func() {
			for time.Since(f.began) < last {
				states = append(states, stateOf(t, b, bad).State)
				time.Sleep(100 * time.Millisecond)
			}
		}()
		return func(ctx context.Context) error { return b.Do(ctx, f.call) }
	})

	all := len(o.took) + o.failed
	share := float64(ours.count(slow, 0, last)) / float64(all)
	ejected := time.Duration(slices.Index(states, balance.Ejected)) * 100 * time.Millisecond
	back := time.Duration(slices.Index(states, balance.SlowStart)) * 100 * time.Millisecond
	var ramp []int
	for at := back; at < back+15*time.Second; at += 2 * time.Second {
		ramp = append(ramp, ours.count(bad, at, at+2*time.Second))
	}
	ratio := float64(o.quantile(0.99)) / float64(robins.quantile(0.99))
	t.Logf("round robin: the slow gets %.2f %% of the calls, %.2f %% fail, p50 %v, p99 %v",
		100*float64(robin.count(slow, 0, last))/float64(len(robins.took)+robins.failed),
		100*float64(robins.failed)/float64(len(robins.took)+robins.failed), robins.quantile(0.5), robins.quantile(0.99))
	t.Logf("balance: the slow gets %.2f %% of the calls, %.3f %% fail, p50 %v, p99 %v: %.2f of round robin's",
		100*share, 100*float64(o.failed)/float64(all), o.quantile(0.5), o.quantile(0.99), ratio)
	t.Logf("the failing one is ejected after %v, is back after %v; its calls per 2 s from then on: %v", ejected, back, ramp)
	if share > 0.03 {
		t.Errorf("the slow endpoint gets %.1f %% of the calls, want at most 3", 100*share)
	}
	if ratio > 0.5 {
		t.Errorf("p99 is %.2f of round robin's, want at most 0.5", ratio)
	}
	if slices.Index(states, balance.Ejected) < 0 || ejected > time.Second {
		t.Errorf("the failing endpoint is ejected after %v, want at most 1s", ejected)
	}
	if slices.Index(states, balance.SlowStart) < 0 || back < sick {
		t.Errorf("the failing endpoint is back after %v", back)
	}
	if n := ours.count(bad, ejected, back-100*time.Millisecond); n != 0 {
		t.Errorf("%d calls to an ejected endpoint", n)
	}
	fair := 2 * rate / 10
	if first, full := ramp[0], ramp[6]; first == 0 || first > fair/2 || full < fair*2/3 {
		t.Errorf("no slow start: %v", ramp)
	}
}

// One of ten servers is dead, and every call may be made three times. With a breaker per endpoint the others do the work;
// one breaker around all of them sees a tenth of the calls fail, and cannot tell which.
func TestWithBreakersPerEndpointAndRetriesElsewhereOneDeadServerIsNotSeen(t *testing.T) {
	const dead = "d"
	run := func(t *testing.T, do func(f *fleet) func(context.Context) error) (o outcome) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet()
			f.fails[dead] = time.Hour
			o = f.load(500, 30*time.Second, do(f))
		})
		return o
	}
	policy := func(budget float64) *retry.Policy {
		shared, err := retry.NewBudget(retry.BudgetOptions{Ratio: budget})
		if err != nil {
			t.Fatal(err)
		}
		p, err := retry.New(retry.Options{Backoff: retry.Exponential(10*time.Millisecond, time.Second), Budget: shared})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	perEndpoint := func(o balance.Options[string]) func(f *fleet) func(context.Context) error {
		return func(f *fleet) func(context.Context) error {
			o.Endpoints = names(10)
			b, retries := newBalancer(t, o), policy(0.2)
			breakers, err := breaker.NewKeyed(breaker.KeyedOptions[string]{Options: breaker.Options{MinCalls: 5}})
			if err != nil {
				t.Fatal(err)
			}
			return func(ctx context.Context) error {
				call := b.Call()
				return retries.Do(ctx, func(ctx context.Context) error {
					return call.Do(ctx, func(ctx context.Context, e string) error {
						return breakers.For(e).Do(ctx, func(ctx context.Context) error { return f.call(ctx, e) })
					})
				})
			}
		}
	}
	share := func(o outcome) float64 { return 100 * float64(o.lately) / float64(o.late) }
	ours := run(t, perEndpoint(balance.Options[string]{}))
	breakersAlone := run(t, perEndpoint(balance.Options[string]{ConsecutiveFailures: balance.Off, FailureRatio: balance.Off}))
	global := func(failureRatio float64) outcome {
		return run(t, func(f *fleet) func(context.Context) error {
			one, err := breaker.New(breaker.Options{MinCalls: 5, FailureRatio: failureRatio})
			if err != nil {
				t.Fatal(err)
			}
			retries := policy(0.2)
			robin := roundRobin(f.call)
			return func(ctx context.Context) error {
				return retries.Do(ctx, func(ctx context.Context) error { return one.Do(ctx, robin) })
			}
		})
	}
	tight, loose := global(0.1), global(0.5)
	t.Logf("calls that fail after 2 s: balance and a breaker per endpoint %.3f %%; without ejection %.3f %%; "+
		"round robin and one breaker that opens at 10 %% failures %.1f %%, at 50 %% %.3f %%",
		share(ours), share(breakersAlone), share(tight), share(loose))
	if share(ours) > 1 {
		t.Errorf("with a breaker per endpoint %.2f %% of the calls fail, want at most 1", share(ours))
	}
	// Without ejection a breaker refuses each call that comes to the dead one, and a retry is spent on it: the budget of 20 %
	// is only just enough.
	if share(breakersAlone) > 3 {
		t.Errorf("without ejection %.2f %% of the calls fail, want at most 3", share(breakersAlone))
	}
	if share(tight) < 10*max(share(ours), 1) {
		t.Errorf("one breaker that opens at this failure ratio is as good: %.2f %%", share(tight))
	}
}

func TestAHintOfOneEndpointDoesNotHoldUpARetryElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalancer(t, balance.Options[string]{Endpoints: names(2)})
		breakers, err := breaker.NewKeyed(breaker.KeyedOptions[string]{Options: breaker.Options{
			ConsecutiveFailures: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute,
		}})
		if err != nil {
			t.Fatal(err)
		}
		_ = breakers.For("a").Do(t.Context(), func(context.Context) error { return errDown })
		retries, err := retry.New(retry.Options{Budget: retry.NoBudget})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			call, began := b.Call(), time.Now()
			err := retries.Do(t.Context(), func(ctx context.Context) error {
				return call.Do(ctx, func(ctx context.Context, e string) error {
					return breakers.For(e).Do(ctx, func(context.Context) error { return nil })
				})
			})
			if err != nil || time.Since(began) > time.Second {
				t.Fatalf("%v after %v", err, time.Since(began))
			}
		}
		// Where no other is left, the hint is worth its wait.
		_ = breakers.For("b").Do(t.Context(), func(context.Context) error { return errDown })
		call := b.Call()
		for attempt, want := range []time.Duration{0, time.Minute} {
			err := call.Do(t.Context(), func(ctx context.Context, e string) error {
				return breakers.For(e).Do(ctx, func(context.Context) error { return nil })
			})
			hint, ok := errors.AsType[interface {
				error
				RetryAfter() time.Duration
			}](err)
			if !ok || !errors.Is(err, breaker.ErrOpen) {
				t.Fatalf("attempt %d: %v", attempt+1, err)
			}
			if got := hint.RetryAfter(); (got > 0) != (want > 0) {
				t.Errorf("attempt %d: RetryAfter %v, want about %v", attempt+1, got, want)
			}
		}
	})
}
