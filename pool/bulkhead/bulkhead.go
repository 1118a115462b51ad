package bulkhead

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// Bulkhead limits how many calls are in flight. It is made with [New]; the zero Bulkhead is not usable. All methods are
// safe for concurrent use. It owns no goroutine and needs no Close.
type Bulkhead struct {
	slots    *slots
	name     string
	classify func(error) Outcome
	waits    *telemetry.Histogram
}

// New returns a Bulkhead, or an error that tells every fault of o.
func New(o Options) (*Bulkhead, error) {
	faults := options.Check("joist/bulkhead", "Options")
	faults.Name(o.Name)
	limit, changes := check(faults, o.Limit)
	o.checkQueue(faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	b := &Bulkhead{
		name:     cmp.Or(o.Name, telemetry.DefaultName),
		classify: o.Classify,
		slots: &slots{
			clock:   clock.New(),
			queue:   o.queue(),
			refused: telemetry.NewCell(requests.Words() - 1),
		},
	}
	b.slots.limit.Store(uint64(limit))
	if changes != nil {
		b.slots.adapt = &adapter{law: changes}
	}
	b.observe(o)
	return b, nil
}

// Do calls fn with ctx once it has a slot, and returns fn's error as it is. It blocks only if the bulkhead has a queue
// (MaxQueue): no longer than MaxWait, and no longer than ctx.
//
// It returns a [*FullError] when it got no slot, and ctx.Err() when ctx had ended already or is cancelled during the
// wait; fn is not called then. A wait that would not fit ctx's deadline is not begun. Once fn runs, ctx is its business:
// Do returns when fn does. A panic or a runtime.Goexit in fn gives the slot back and takes its course, a panic with the
// stack it has. fn must not be nil. Do allocates nothing unless it waits or refuses.
func (b *Bulkhead) Do(ctx context.Context, fn func(context.Context) error) error {
	began, err := b.enter(ctx)
	if err != nil {
		return err
	}
	if b.slots.adapt != nil {
		_, err := judged(ctx, b, began, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
		return err
	}
	defer b.slots.leave(began)
	return fn(ctx)
}

// DoValue is [Bulkhead.Do] for a function that also returns a value. When fn is not called, the value is zero.
func DoValue[V any](ctx context.Context, b *Bulkhead, fn func(context.Context) (V, error)) (V, error) {
	began, err := b.enter(ctx)
	if err != nil {
		var zero V
		return zero, err
	}
	if b.slots.adapt != nil {
		return judged(ctx, b, began, fn)
	}
	defer b.slots.leave(began)
	return fn(ctx)
}

// judged makes a call that an adaptive limit learns from.
func judged[V any](ctx context.Context, b *Bulkhead, began int64, fn func(context.Context) (V, error)) (V, error) {
	outcome := Ignored // of a panic and of a Goexit
	defer func() { b.slots.leaveJudged(began, outcome) }()
	v, err := fn(ctx)
	outcome = b.judge(ctx, err)
	return v, err
}

func (b *Bulkhead) enter(ctx context.Context) (began int64, err error) {
	if err := ctx.Err(); err != nil {
		b.slots.refused.Inc(wordCancelled - 1)
		return 0, err
	}
	if began, ok := b.slots.enter(); ok {
		return began, nil
	}
	if b.slots.queue == nil {
		return 0, b.refuse(ctx, ReasonFull)
	}
	return b.wait(ctx)
}

// wait is the way of a call that found no slot free, or others waiting.
func (b *Bulkhead) wait(ctx context.Context) (began int64, err error) {
	s := b.slots
	now := s.clock.Now()
	w, reason := s.join(ctx, now)
	if w != nil {
		reason, err = s.await(ctx, w)
		b.waits.Record(ctx, 0, time.Duration(s.clock.Now()-now))
	}
	switch {
	case err != nil:
		s.refused.Inc(wordCancelled - 1)
		return 0, err
	case reason != 0:
		return 0, b.refuse(ctx, reason)
	default:
		return s.begin(s.word.Load()), nil
	}
}

func (b *Bulkhead) refuse(ctx context.Context, reason Reason) error {
	s := b.slots
	s.refused.Inc(wordOf(reason) - 1)
	telemetry.Event(ctx, "joist.bulkhead.full", b.name)
	queued := s.queued()
	return &FullError{
		Name:     b.name,
		Limit:    int(s.limit.Load()),
		InFlight: int(s.inflight()),
		Queued:   int(queued),
		Reason:   reason,
		Wait:     s.typical.Get() + s.estimate(queued),
	}
}

// SetLimit changes a [Fixed] limit, to 1 to [MaxLimit]. Calls in flight above a lower limit go on; no other begins until
// they are below it. It returns an error for another number, and for an adaptive limit, which finds its own.
func (b *Bulkhead) SetLimit(n int) error {
	if b.slots.adapt != nil {
		return errors.New("joist/bulkhead: SetLimit is for a Fixed limit; an adaptive one has Min and Max")
	}
	if n < 1 || n > MaxLimit {
		return fmt.Errorf("joist/bulkhead: SetLimit: the limit is %d, but must be from 1 to %d", n, MaxLimit)
	}
	b.slots.setLimit(n)
	return nil
}
