package contract_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/throttle"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/internal/contract"
	"github.com/joist-go/joist/pool"
	"github.com/joist-go/joist/pool/balance"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/flight"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/retry"
)

func TestEveryBlockKeepsTheContracts(t *testing.T) {
	for _, b := range blocks {
		t.Run(b.Name, func(t *testing.T) { contract.Run(t, b) })
	}
}

// doer is the one verb.
type doer interface {
	Do(ctx context.Context, fn func(context.Context) error) error
}

var (
	_ doer = (*ratelimit.Limiter)(nil)
	_ doer = ratelimit.Subject[string]{}
	_ doer = (*retry.Policy)(nil)
	_ doer = (*breaker.Breaker)(nil)
	_ doer = (*throttle.Throttle)(nil)
	_ doer = (*bulkhead.Bulkhead)(nil)
)

var errOutage = errors.New("outage")

var quiet = slog.New(slog.DiscardHandler)

func outage(context.Context) error { return errOutage }

var blocks = []contract.Block{
	{
		Name: "ratelimit.Limiter",
		New: func(testing.TB) contract.Guard {
			l := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerSecond(1e6)}}))
			return contract.Guard{Do: l.Do, Gone: contract.Watch(l)}
		},
		Refusing: func(testing.TB) contract.Guard {
			l := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerMinute(1)}}))
			l.Allow()
			return contract.Guard{Do: l.Do}
		},
		Refusal: ratelimit.ErrLimited, Hints: true,
	},
	{
		Name: "ratelimit.Keyed",
		New: func(testing.TB) contract.Guard {
			k := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerSecond(1e6)}}))
			return contract.Guard{Do: k.For("a").Do, Gone: contract.Watch(k)}
		},
		Refusing: func(testing.TB) contract.Guard {
			k := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerMinute(1)}}))
			k.Allow("a")
			return contract.Guard{Do: k.For("a").Do}
		},
		Refusal: ratelimit.ErrLimited, Hints: true,
	},
	{
		Name: "retry.Policy",
		New: func(testing.TB) contract.Guard {
			p := joist.Must(retry.New(retry.Options{}))
			return contract.Guard{Do: p.Do, Gone: contract.Watch(p)}
		},
	},
	{
		Name: "retry.Run",
		New: func(testing.TB) contract.Guard {
			p := joist.Must(retry.New(retry.Options{}))
			return contract.Guard{Do: attempts(p), Gone: contract.Watch(p)}
		},
	},
	{
		Name: "retry.Hedge",
		New: func(testing.TB) contract.Guard {
			p := joist.Must(retry.New(retry.Options{HedgeDelay: time.Hour}))
			return contract.Guard{Do: hedge(p), Gone: contract.Watch(p)}
		},
		Panic: func(err error) (any, []byte) {
			p, _ := errors.AsType[*retry.PanicError](err)
			return p.Value, p.Stack
		},
	},
	{
		Name: "breaker.Breaker",
		New: func(testing.TB) contract.Guard {
			b := joist.Must(breaker.New(breaker.Options{MinCalls: 1e6}))
			return contract.Guard{Do: b.Do, Gone: contract.Watch(b)}
		},
		Refusing: func(testing.TB) contract.Guard {
			b := joist.Must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute}))
			_ = b.Do(context.Background(), outage)
			return contract.Guard{Do: b.Do}
		},
		Refusal: breaker.ErrOpen, Hints: true,
	},
	{
		Name: "breaker.Keyed",
		New: func(testing.TB) contract.Guard {
			k := joist.Must(breaker.NewKeyed(breaker.KeyedOptions[string]{Options: breaker.Options{MinCalls: 1e6}}))
			do := func(ctx context.Context, call contract.Call) error { return k.For("a").Do(ctx, call) }
			return contract.Guard{Do: do, Gone: contract.Watch(k)}
		},
		Refusing: func(testing.TB) contract.Guard {
			k := joist.Must(breaker.NewKeyed(breaker.KeyedOptions[string]{
				Options: breaker.Options{MinCalls: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute},
			}))
			_ = k.For("a").Do(context.Background(), outage)
			return contract.Guard{Do: func(ctx context.Context, call contract.Call) error { return k.For("a").Do(ctx, call) }}
		},
		Refusal: breaker.ErrOpen, Hints: true,
	},
	{
		Name: "throttle.Throttle",
		New: func(testing.TB) contract.Guard {
			t := joist.Must(throttle.New(throttle.Options{MinCalls: 1e6}))
			return contract.Guard{Do: t.Do, Gone: contract.Watch(t)}
		},
		// It refuses by lot, and less than all calls, so that the guard draws until a call is refused. A hint says when the
		// window slides, not that a call is let out then.
		Refusing: func(testing.TB) contract.Guard {
			t := joist.Must(throttle.New(throttle.Options{K: 1, MaxReject: 0.999}))
			return contract.Guard{Do: func(ctx context.Context, call contract.Call) error {
				for {
					if err := t.Do(ctx, outage); !errors.Is(err, errOutage) {
						return err
					}
				}
			}}
		},
		Refusal: throttle.ErrThrottled,
	},
	{
		Name: "bulkhead.Bulkhead",
		New: func(testing.TB) contract.Guard {
			b := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(1)}))
			return contract.Guard{Do: b.Do, Gone: contract.Watch(b)}
		},
		Refusing: func(testing.TB) contract.Guard {
			b := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(1)}))
			release := occupied(func(call contract.Call) { _ = b.Do(context.Background(), call) })
			return contract.Guard{Do: b.Do, Close: release}
		},
		Refusal: bulkhead.ErrFull,
	},
	{
		Name: "bulkhead.Bulkhead, AIMD",
		New: func(testing.TB) contract.Guard {
			b := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.AIMD{Initial: 1, Max: 1}, MaxQueue: 1}))
			return contract.Guard{Do: b.Do, Gone: contract.Watch(b)}
		},
		Refusing: func(testing.TB) contract.Guard {
			b := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.AIMD{Initial: 1, Max: 1}, MaxQueue: 1}))
			release := occupied(func(call contract.Call) { _ = b.Do(context.Background(), call) })
			return contract.Guard{Do: b.Do, Close: release}
		},
		Refusal: bulkhead.ErrFull,
	},
	{
		Name: "bulkhead.Bulkhead, Gradient",
		New: func(testing.TB) contract.Guard {
			b := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.Gradient{Initial: 1, Max: 1}, MaxQueue: 1}))
			return contract.Guard{Do: b.Do, Gone: contract.Watch(b)}
		},
		Refusing: func(testing.TB) contract.Guard {
			b := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.Gradient{Initial: 1, Max: 1}, MaxQueue: 1}))
			release := occupied(func(call contract.Call) { _ = b.Do(context.Background(), call) })
			return contract.Guard{Do: b.Do, Close: release}
		},
		Refusal: bulkhead.ErrFull,
	},
	{
		Name: "balance.Balancer",
		New: func(testing.TB) contract.Guard {
			b := joist.Must(balance.New(balance.Options[string]{Endpoints: []string{"a", "b"}}))
			return contract.Guard{Do: to(b), Gone: contract.Watch(b)}
		},
		Refusing: func(testing.TB) contract.Guard {
			b := joist.Must(balance.New(balance.Options[string]{
				Endpoints: []string{"a"}, ConsecutiveFailures: 1, MaxEjected: 1, PanicAt: balance.Off,
			}))
			_ = to(b)(context.Background(), outage)
			return contract.Guard{Do: to(b)}
		},
		Refusal: balance.ErrNone, Hints: true,
	},
	{
		Name: "balance.Rendezvous",
		New: func(testing.TB) contract.Guard {
			r := joist.Must(balance.NewRendezvous(balance.RendezvousOptions[string]{Endpoints: []string{"a", "b"}}))
			return contract.Guard{Do: toOwner(r), Gone: contract.Watch(r)}
		},
		Refusing: func(testing.TB) contract.Guard {
			r := joist.Must(balance.NewRendezvous(balance.RendezvousOptions[string]{}))
			return contract.Guard{Do: toOwner(r)}
		},
		Refusal: balance.ErrNone,
	},
	{
		Name: "pool.Pool",
		New: func(testing.TB) contract.Guard {
			p := joist.Must(pool.New(pool.Options{Workers: 1, OnPanic: func(any, []byte) {}}))
			return contract.Guard{Do: submit(p), Close: p.Close, Gone: contract.Watch(p)}
		},
		Refusing: func(t testing.TB) contract.Guard {
			p := joist.Must(pool.New(pool.Options{Workers: 1, Queue: pool.NoQueue, WhenFull: pool.Reject}))
			release := occupied(func(call contract.Call) {
				if err := p.Go(context.Background(), func(ctx context.Context) { _ = call(ctx) }); err != nil {
					t.Error(err)
				}
			})
			return contract.Guard{
				Do:    submit(p),
				Close: func(ctx context.Context) error { return errors.Join(release(ctx), p.Close(ctx)) },
			}
		},
		Refusal: pool.ErrFull,
		Panic: func(err error) (any, []byte) {
			p, _ := errors.AsType[*pool.PanicError](err)
			return p.Value, p.Stack
		},
	},
	{
		Name: "flight.Group",
		New: func(testing.TB) contract.Guard {
			g := joist.Must(flight.New[string, struct{}](flight.Options{Detached: true}))
			return contract.Guard{Do: share(g), Close: g.Close, Gone: contract.Watch(g)}
		},
		Refusing: func(t testing.TB) contract.Guard {
			g := joist.Must(flight.New[string, struct{}](flight.Options{}))
			if err := g.Close(context.Background()); err != nil {
				t.Error(err)
			}
			return contract.Guard{Do: share(g), Close: g.Close}
		},
		Refusal: flight.ErrClosed,
		Panic:   flightPanic,
	},
	{
		Name: "cache.Cache",
		New: func(testing.TB) contract.Guard {
			c := newCache()
			return contract.Guard{Do: load(c), Close: c.Close, Gone: contract.Watch(c)}
		},
		Refusing: func(testing.TB) contract.Guard {
			c := joist.Must(cache.New(cache.Options[string, int]{
				Load: func(context.Context, string) (int, error) { return 0, errOutage },
				TTL:  time.Minute, ErrorBackoff: time.Hour, Logger: quiet,
			}))
			_, _ = c.Get(context.Background(), "a")
			return contract.Guard{Do: load(c), Close: c.Close}
		},
		Refusal: cache.ErrBackoff, Hints: true,
		Panic: flightPanic,
	},
}

func newCache() *cache.Cache[string, int] {
	return joist.Must(cache.New(cache.Options[string, int]{
		Load: func(context.Context, string) (int, error) { return 1, nil },
		TTL:  time.Nanosecond, ErrorBackoff: cache.Off, NotFoundTTL: cache.Off, Logger: quiet,
	}))
}

// attempts is a call as a loop.
func attempts(p *retry.Policy) func(context.Context, contract.Call) error {
	return func(ctx context.Context, call contract.Call) error {
		run := p.Start(ctx)
		for ctx := range run.Attempts() {
			run.Done(call(ctx))
		}
		return run.Err()
	}
}

func hedge(p *retry.Policy) func(context.Context, contract.Call) error {
	return func(ctx context.Context, call contract.Call) error {
		_, err := retry.Hedge(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
		return err
	}
}

// to makes a call to whichever endpoint.
func to(b *balance.Balancer[string]) func(context.Context, contract.Call) error {
	return func(ctx context.Context, call contract.Call) error {
		return b.Do(ctx, func(ctx context.Context, _ string) error { return call(ctx) })
	}
}

// toOwner makes a call to the endpoint of one key.
func toOwner(r *balance.Rendezvous[string]) func(context.Context, contract.Call) error {
	return func(ctx context.Context, call contract.Call) error {
		return r.Do(ctx, "key", func(ctx context.Context, _ string) error { return call(ctx) })
	}
}

// submit is how a pool does a call: submitted, and waited for. Its panic is the waiter's error, and is raised again here
// as a caller without use for errors would.
func submit(p *pool.Pool) func(context.Context, contract.Call) error {
	return func(ctx context.Context, call contract.Call) error {
		f, err := pool.Submit(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
		if err != nil {
			return err
		}
		_, err = f.Wait(ctx)
		if p, ok := errors.AsType[*pool.PanicError](err); ok {
			panic(p)
		}
		return err
	}
}

func share(g *flight.Group[string, struct{}]) func(context.Context, contract.Call) error {
	return func(ctx context.Context, call contract.Call) error {
		_, err := g.Do(ctx, "a", func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
		return err
	}
}

// load is a call that a cache makes: its entries are stale at once, so that every Get loads.
func load(c *cache.Cache[string, int]) func(context.Context, contract.Call) error {
	return func(ctx context.Context, call contract.Call) error {
		_, err := c.GetWith(ctx, "a", func(ctx context.Context, _ string) (int, error) { return 1, call(ctx) })
		return err
	}
}

func flightPanic(err error) (any, []byte) {
	p, _ := errors.AsType[*flight.PanicError](err)
	return p.Value, p.Stack
}

// occupied has a call that lasts until it is released, and returns once the call is running.
func occupied(do func(contract.Call)) (release func(context.Context) error) {
	running, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		do(func(context.Context) error {
			close(running)
			<-end
			return nil
		})
	}()
	<-running
	return func(context.Context) error {
		close(end)
		<-done
		return nil
	}
}
