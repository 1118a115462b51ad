package contract_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/internal/contract"
	"github.com/joist-go/joist/retry"
)

// refusers are the blocks that refuse, each refusing every call.
func refusers(t *testing.T, test func(t *testing.T, b contract.Block, g contract.Guard)) {
	for _, b := range blocks {
		if b.Refusing == nil {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := b.Refusing(t)
				test(t, b, g)
				if g.Close != nil {
					if err := g.Close(context.Background()); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func succeed(context.Context) error { return nil }

func TestABreakerDoesNotCountTheRefusalsOfWhatIsInsideIt(t *testing.T) {
	refusers(t, func(t *testing.T, b contract.Block, g contract.Guard) {
		outer := joist.Must(breaker.New(breaker.Options{MinCalls: 1, FailureRatio: 0.01}))
		for range 100 {
			err := outer.Do(t.Context(), func(ctx context.Context) error { return g.Do(ctx, succeed) })
			if !errors.Is(err, b.Refusal) {
				t.Fatalf("got %v", err)
			}
		}
		if s := outer.Stats(); s.State != breaker.Closed || s.Failures != 0 || s.Ignored != 100 {
			t.Errorf("the breaker is %v after 100 refusals: %+v", s.State, s)
		}
	})
}

func TestARetryWaitsAsLongAsARefusalAsks(t *testing.T) {
	refusers(t, func(t *testing.T, b contract.Block, g contract.Guard) {
		if !b.Hints {
			return
		}
		outer := joist.Must(retry.New(retry.Options{MaxAttempts: 2, MaxHint: retry.AnyHint}))
		began := time.Now()
		if err := outer.Do(t.Context(), func(ctx context.Context) error { return g.Do(ctx, succeed) }); err != nil {
			t.Fatalf("the retry came too early, after %v: %v", time.Since(began), err)
		}
	})
}

func TestARetryStopsAtOnceWhereARefusalsHintDoesNotFit(t *testing.T) {
	refusers(t, func(t *testing.T, b contract.Block, g contract.Guard) {
		if !b.Hints {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for what, p := range map[string]*retry.Policy{
			"the deadline": joist.Must(retry.New(retry.Options{MaxHint: retry.AnyHint})),
			"MaxHint":      joist.Must(retry.New(retry.Options{MaxHint: time.Millisecond})),
		} {
			began, attempts := time.Now(), 0
			err := p.Do(ctx, func(ctx context.Context) error { attempts++; return g.Do(ctx, succeed) })
			if !errors.Is(err, b.Refusal) || attempts != 1 || time.Since(began) != 0 {
				t.Errorf("%s: %d attempts in %v, %v", what, attempts, time.Since(began), err)
			}
			if r, ok := errors.AsType[contract.Refused](err); !ok || !r.Refused() || r.RetryAfter() <= time.Second {
				t.Errorf("%s: whoever is outside cannot tell that the call was never made: %v", what, err)
			}
			if what == "the deadline" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: not a DeadlineExceeded: %v", what, err)
			}
		}
	})
}

// One attempt reached the work and failed, the next was refused: as a whole that is no refusal, since the call was made.
func TestARetryIsARefusalOnlyIfEveryAttemptWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := joist.Must(breaker.New(breaker.Options{MinCalls: 1}))
		p := joist.Must(retry.New(retry.Options{MaxHint: time.Nanosecond}))
		err := p.Do(t.Context(), func(ctx context.Context) error { return inner.Do(ctx, outage) })
		if !errors.Is(err, breaker.ErrOpen) {
			t.Fatalf("the breaker did not end the retries: %v", err)
		}
		if r, ok := errors.AsType[contract.Refused](err); !ok || r.Refused() {
			t.Errorf("taken for a refusal though the work ran: %v", err)
		}
		outer := joist.Must(breaker.New(breaker.Options{MinCalls: 1}))
		_ = outer.Do(t.Context(), func(context.Context) error { return err })
		if s := outer.Stats(); s.State != breaker.Open {
			t.Errorf("the outer breaker is %v", s.State)
		}
	})
}
