package contract_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/pool"
	"github.com/joist-go/joist/retry"
)

// A callback under a lock would never return from these calls, and the bubble would report a deadlock.

func TestABreakersListenerMayUseTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			b    *breaker.Breaker
			seen []breaker.State
		)
		b = joist.Must(breaker.New(breaker.Options{
			MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second,
			OnStateChange: func(tr breaker.Transition) {
				seen = append(seen, tr.To)
				b.State()
				b.Stats()
				if tr.To == breaker.Open {
					if err := b.Do(context.Background(), succeed); !errors.Is(err, breaker.ErrOpen) {
						t.Errorf("in the listener: %v", err)
					}
				}
			},
		}))
		_ = b.Do(t.Context(), outage)
		time.Sleep(time.Second)
		if err := b.Do(t.Context(), succeed); err != nil {
			t.Error(err)
		}
		want := []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed}
		if !slices.Equal(seen, want) {
			t.Errorf("told of %v, want %v in this order", seen, want)
		}
	})
}

func TestARetrysHookMayUseThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			p     *retry.Policy
			hooks int
		)
		p = joist.Must(retry.New(retry.Options{OnRetry: func(ctx context.Context, _ retry.Event) {
			hooks++
			p.Stats()
			if err := p.Do(ctx, succeed); err != nil {
				t.Errorf("in the hook: %v", err)
			}
		}}))
		_ = p.Do(t.Context(), outage)
		if hooks != 2 {
			t.Errorf("%d hooks for 3 attempts, want 2", hooks)
		}
	})
}

func TestAHedgesHookMayUseThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			p     *retry.Policy
			hooks int
		)
		fetch := func(context.Context) (int, error) { return 0, errOutage }
		p = joist.Must(retry.New(retry.Options{OnRetry: func(ctx context.Context, _ retry.Event) {
			hooks++
			p.Stats()
			if err := p.Do(ctx, succeed); err != nil {
				t.Errorf("in the hook: %v", err)
			}
		}}))
		if _, err := retry.Hedge(t.Context(), p, fetch); !errors.Is(err, errOutage) || hooks != 1 {
			t.Errorf("%v after %d hooks, want 1", err, hooks)
		}
	})
}

func TestAPoolsPanicHandlerMayUseThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			p    *pool.Pool
			done = make(chan struct{})
		)
		p = joist.Must(pool.New(pool.Options{Workers: 1, OnPanic: func(any, []byte) {
			p.Stats()
			if err := p.Go(context.Background(), func(context.Context) { close(done) }); err != nil {
				t.Errorf("in the handler: %v", err)
			}
		}}))
		if err := p.Go(t.Context(), func(context.Context) { panic("boom") }); err != nil {
			t.Error(err)
		}
		<-done
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
