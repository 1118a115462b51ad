package breaker_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

// states returns where the transitions led to.
func states(seen []breaker.Transition) []breaker.State {
	var to []breaker.State
	for _, t := range seen {
		to = append(to, t.To)
	}
	return to
}

var cycle = []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed}

func TestTheListenerIsToldOfEachTransition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []breaker.Transition
		b := must(breaker.New(breaker.Options{
			Name: "users", MinCalls: 4, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second,
			OnStateChange: func(t breaker.Transition) { seen = append(seen, t) },
		}))
		wantErr(t, succeed(b), nil)
		for range 3 {
			wantErr(t, fail(b), errDown)
		}
		time.Sleep(time.Second)
		wantErr(t, succeed(b), nil)
		if !slices.Equal(states(seen), cycle) {
			t.Fatalf("told of %v", seen)
		}
		if first := seen[0]; first.Name != "users" || first.From != breaker.Closed || first.FailureRatio != 0.75 ||
			first.OpenFor != time.Second || first.Generation != 1 || first.At.IsZero() {
			t.Errorf("%+v", first)
		}
		if second := seen[1]; second.From != breaker.Open || second.OpenFor != 0 || !second.At.Equal(seen[0].At.Add(time.Second)) {
			t.Errorf("%+v", second)
		}
	})
}

func TestAListenerMayCallTheBreakerAndIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *breaker.Breaker
		var seen []breaker.Transition
		inside := false
		b = must(breaker.New(breaker.Options{
			MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second,
			OnStateChange: func(tr breaker.Transition) {
				if inside {
					t.Error("told of two at once")
				}
				inside = true
				defer func() { inside = false }()
				seen = append(seen, tr)
				switch tr.To {
				case breaker.Open:
					wantErr(t, succeed(b), breaker.ErrOpen)
					time.Sleep(time.Second)
					wantErr(t, succeed(b), nil) // half-open, and closed by this
					wantState(t, b, breaker.Closed)
				case breaker.HalfOpen, breaker.Closed:
					_ = b.Stats()
				}
			},
		}))
		wantErr(t, fail(b), errDown)
		if !slices.Equal(states(seen), cycle) {
			t.Fatalf("told of %v", seen)
		}
	})
}

func TestAListenerThatBlocksHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []breaker.Transition
		release := make(chan struct{})
		b := must(breaker.New(breaker.Options{
			MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second,
			OnStateChange: func(t breaker.Transition) {
				<-release
				seen = append(seen, t)
			},
		}))
		var wg sync.WaitGroup
		wg.Go(func() { _ = fail(b) })
		synctest.Wait() // blocked in the listener
		wantErr(t, succeed(b), breaker.ErrOpen)
		time.Sleep(time.Second)
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Closed)
		close(release)
		wg.Wait()
		if !slices.Equal(states(seen), cycle) {
			t.Fatalf("told of %v", seen)
		}
	})
}

func TestTransitionsBeyondTheBoundDropTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []breaker.Transition
		release := make(chan struct{})
		b := must(breaker.New(breaker.Options{
			MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second,
			OnStateChange: func(t breaker.Transition) {
				<-release
				seen = append(seen, t)
			},
		}))
		var wg sync.WaitGroup
		wg.Go(func() { _ = fail(b) })
		synctest.Wait()
		for range 100 { // a probe that fails makes two transitions
			time.Sleep(time.Second)
			wantErr(t, fail(b), errDown)
		}
		close(release)
		wg.Wait()
		if len(seen) != 65 || seen[0].Generation != 1 || seen[1].Generation != 201-63 || seen[64].Generation != 201 {
			t.Fatalf("told of %d, generations %d, %d … %d", len(seen), seen[0].Generation, seen[1].Generation, seen[len(seen)-1].Generation)
		}
	})
}

func TestAListenerThatPanicsOrExitsIsToldTheRest(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b *breaker.Breaker
				var seen []breaker.Transition
				b = must(breaker.New(breaker.Options{
					MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second,
					OnStateChange: func(tr breaker.Transition) {
						seen = append(seen, tr)
						if tr.To == breaker.Open && len(seen) == 1 {
							time.Sleep(time.Second)
							wantErr(t, succeed(b), nil)
							leave()
						}
					},
				}))
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { _ = recover() }()
					_ = fail(b)
				})
				wg.Wait()
				if !slices.Equal(states(seen), cycle) {
					t.Fatalf("told of %v", seen)
				}
				wantErr(t, b.Do(context.Background(), func(context.Context) error { return errDown }), errDown)
				if len(seen) != 4 {
					t.Fatalf("told of nothing after that: %v", seen)
				}
			})
		})
	}
}

func TestAListenerThatPanicsOrExitsDoesNotKeepAProbesPlace(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := must(breaker.New(breaker.Options{
					MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second,
					OnStateChange: func(tr breaker.Transition) {
						if tr.To == breaker.HalfOpen {
							leave()
						}
					},
				}))
				wantErr(t, fail(b), errDown)
				time.Sleep(time.Second)
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { _ = recover() }()
					_ = succeed(b)
				})
				wg.Wait()
				if s := b.Stats(); s.State != breaker.HalfOpen || s.Probing != 0 || s.Successes != 0 {
					t.Fatalf("%+v", s)
				}
				wantErr(t, succeed(b), nil)
				wantState(t, b, breaker.Closed)
			})
		})
	}
}

func TestOpeningsGrowWithJitterUpToTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const openFor, bound = time.Second, 20 * time.Second
		distinct := map[time.Duration]bool{}
		for range 50 {
			var openings []time.Duration
			b := must(breaker.New(breaker.Options{
				MinCalls: 1, Probes: 1, OpenFor: openFor, MaxOpenFor: bound,
				OnStateChange: func(t breaker.Transition) {
					if t.To == breaker.Open {
						openings = append(openings, t.OpenFor)
					}
				},
			}))
			wantErr(t, fail(b), errDown)
			for range 7 {
				time.Sleep(bound)
				wantErr(t, fail(b), errDown)
			}
			for i, d := range openings {
				low := min(openFor<<i, bound*2/3)
				high := min(openFor<<i*3/2, bound)
				if d < low || d > high {
					t.Fatalf("opening %d lasts %v, want from %v to %v", i+1, d, low, high)
				}
				distinct[d] = true
			}
			if len(openings) != 8 {
				t.Fatalf("%d openings", len(openings))
			}
			time.Sleep(bound)
			wantErr(t, succeed(b), nil)
			wantErr(t, fail(b), errDown)
			if d := openings[8]; d > openFor*3/2 {
				t.Fatalf("the first opening after a closing lasts %v", d)
			}
		}
		if len(distinct) < 300 {
			t.Fatalf("50 × 8 openings have %d lengths: no jitter", len(distinct))
		}
	})
}
