package ratelimit

import (
	"context"
	"errors"
	"slices"
)

// Refunder is a [Taker] whose tokens can be given back: those of this package are.
type Refunder interface {
	Taker

	// Refund gives n tokens back to the bucket of key, which takes no more of them than it can hold. The errors are
	// [ErrNegative], and what a bucket's store fails with.
	Refund(ctx context.Context, key string, n int64) error
}

// Chain returns a Taker that takes from all takers, in their order: a hierarchy such as all of a service, a tenant, a
// user. When one denies, fails or panics, what the earlier ones gave is given back to them, the last of them first, even when
// the caller has left, and the later ones are not asked. One that fails is not given back to: it is not known whether it took.
// An error of giving back is joined to the answer.
// So no bucket ever gives more than its limits, but for a moment one may hold less than it would: a chain is not
// atomic, as several limits of one block are. [TakerOf], [Limiter.Taker] and [Rekeyed] tell which bucket a key means to each.
//
// The answer is that of the taker that denied, or of the first with the fewest tokens left, a shadow only if all are. Takers
// should be ordered from the one that denies most often. Chain panics if there is no taker, or if one is nil or, but for
// the last, no [Refunder].
func Chain(takers ...Taker) Refunder {
	if len(takers) == 0 {
		panic("joist/ratelimit: Chain of no takers")
	}
	c := chain{last: takers[len(takers)-1]}
	for i, t := range takers {
		if t == nil {
			panic("joist/ratelimit: Chain of a nil Taker")
		}
		r, ok := t.(Refunder)
		if !ok && i < len(takers)-1 {
			panic("joist/ratelimit: Chain of a Taker that is no Refunder, before others")
		}
		if i < len(takers)-1 {
			c.earlier = append(c.earlier, r)
		}
	}
	return c
}

type chain struct {
	earlier []Refunder
	last    Taker
}

// Take implements [Taker].
func (c chain) Take(ctx context.Context, key string, n int64) (binding Result, err error) {
	took, whole := 0, false
	defer func() {
		if whole {
			return
		}
		if undo := c.undo(ctx, took, key, n); undo != nil {
			err = errors.Join(err, undo)
		}
	}()
	for ; took <= len(c.earlier); took++ {
		t := c.last
		if took < len(c.earlier) {
			t = c.earlier[took]
		}
		r, err := t.Take(ctx, key, n)
		if err != nil || !r.Allowed {
			return r, err
		}
		degraded := binding.Degraded || r.Degraded
		if took == 0 || nearer(r, binding) {
			binding = r
		}
		binding.Degraded = degraded
	}
	whole = true
	return binding, nil
}

// nearer tells whether r, of a take that was allowed, tells more than binding: a shadow decides nothing.
func nearer(r, binding Result) bool {
	if r.Limit.Shadow != binding.Limit.Shadow {
		return binding.Limit.Shadow
	}
	return r.Remaining < binding.Remaining
}

// undo gives back what the first takers gave, from the last to the first.
func (c chain) undo(ctx context.Context, first int, key string, n int64) error {
	if n == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, t := range slices.Backward(c.earlier[:first]) {
		errs = append(errs, t.Refund(ctx, key, n))
	}
	return errors.Join(errs...)
}

// Refund gives n tokens back to all of the chain, but for a last taker that is no Refunder.
func (c chain) Refund(ctx context.Context, key string, n int64) error {
	err := c.undo(ctx, len(c.earlier), key, n)
	if r, ok := c.last.(Refunder); ok {
		err = errors.Join(err, r.Refund(ctx, key, n))
	}
	return err
}

// Taker returns l as a [Taker]: all keys take from its buckets. It asks ctx before each take.
func (l *Limiter) Taker() Refunder { return shared{l} }

type shared struct{ limiter *Limiter }

func (s shared) Take(ctx context.Context, _ string, n int64) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	return s.limiter.Take(n)
}

func (s shared) Refund(_ context.Context, _ string, n int64) error { return s.limiter.Refund(n) }
func (s shared) Charge(_ context.Context, _ string, n int64) error { return s.limiter.Charge(n) }

func (s shared) SetLimits(_ context.Context, _ string, limits []Limit) error {
	return s.limiter.SetLimits(limits)
}

// Rekeyed returns taker with other keys: the bucket of a key is that of to(key), such as the tenant of a user. It panics if
// one of them is nil.
func Rekeyed(taker Refunder, to func(key string) string) Refunder {
	if taker == nil || to == nil {
		panic("joist/ratelimit: Rekeyed of a nil taker or function")
	}
	return rekeyed{taker, to}
}

type rekeyed struct {
	taker Refunder
	to    func(string) string
}

func (r rekeyed) Take(ctx context.Context, key string, n int64) (Result, error) {
	return r.taker.Take(ctx, r.to(key), n)
}

func (r rekeyed) Refund(ctx context.Context, key string, n int64) error {
	return r.taker.Refund(ctx, r.to(key), n)
}
