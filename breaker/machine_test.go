package breaker_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/internal/attempt"
)

// machineSteps is how many steps TestABreakerDoesWhatTheModelDoes makes, at least.
var machineSteps = flag.Int("breaker.steps", leastSteps, "the least number of steps of the breaker's state machine")

const (
	modelWindow = time.Second
	modelCalls  = 12
)

// outcome is how a call ends.
type outcome string

const (
	success   outcome = "success"
	failure   outcome = "failure"
	deadline  outcome = "deadline"  // a failure
	panics    outcome = "panic"     // a failure
	exits     outcome = "goexit"    // a failure
	ignored   outcome = "ignored"   // by Ignore
	cancelled outcome = "cancelled" // by its caller: ignored
)

// ops are what a step may be, as often as it stands here.
var ops = slices.Concat(
	slices.Repeat([]string{"allow"}, 6),
	slices.Repeat([]string{"retry"}, 2),
	slices.Repeat([]string{"success"}, 5),
	slices.Repeat([]string{"sleep"}, 5),
	slices.Repeat([]string{"failure"}, 3),
	slices.Repeat([]string{"do"}, 4),
	[]string{"ignored", "cancelled", "deadline", "amend", "again", "mode", "gone"},
)

// callOut is a call whose permit was given.
type callOut struct {
	permit breaker.Permit
	model  *modelPermit
	end    context.CancelFunc
}

// machine runs steps on a breaker and on the model.
type machine struct {
	b       *breaker.Breaker
	m       *model
	steps   []uint16
	made    int
	began   time.Time
	told    []breaker.Transition
	calls   []*callOut // not done, or done with success, or over; the latest
	fault   string
	reached map[string]int // how often each way for a call to end came in each state
}

func TestABreakerDoesWhatTheModelDoes(t *testing.T) {
	var steps int
	reached := make(map[string]int)
	check := func(rt *rapid.T) {
		o := breaker.Options{
			Window:       rapid.SampledFrom([]breaker.Window{breaker.Last(modelWindow), breaker.LastCalls(modelCalls)}).Draw(rt, "window"),
			MinCalls:     rapid.IntRange(1, 8).Draw(rt, "minCalls"),
			FailureRatio: rapid.SampledFrom([]float64{0.1, 0.5, 0.75, 1}).Draw(rt, "ratio"),
			Probes:       rapid.IntRange(1, 4).Draw(rt, "probes"),
			OpenFor:      rapid.SampledFrom([]time.Duration{time.Millisecond, 300 * time.Millisecond, 3 * time.Second}).Draw(rt, "openFor"),
			ProbeTimeout: rapid.SampledFrom([]time.Duration{time.Millisecond, 200 * time.Millisecond, 5 * time.Second}).Draw(rt, "probeTimeout"),
			Ramp:         rapid.SampledFrom([]time.Duration{0, 7 * time.Millisecond, time.Second, 10 * time.Second}).Draw(rt, "ramp"),
			SlowCall:     rapid.SampledFrom([]time.Duration{0, time.Millisecond, 350 * time.Millisecond, 3 * time.Second}).Draw(rt, "slowCall"),

			ConsecutiveFailures: rapid.SampledFrom([]int{0, 0, 1, 4}).Draw(rt, "row"),

			Mode: breaker.Mode(rapid.IntRange(0, int(breaker.RetriesOnly)).Draw(rt, "mode")),
		}
		o.MaxOpenFor = o.OpenFor * time.Duration(rapid.SampledFrom([]int{1, 1, 5}).Draw(rt, "maxOpenFor"))
		if o.SlowCall != 0 {
			o.SlowRatio = rapid.SampledFrom([]float64{0.2, 0.5, 1}).Draw(rt, "slowRatio")
		}
		chats := rapid.Bool().Draw(rt, "chats")
		// Short runs reach little.
		made := rapid.SliceOfN(rapid.Uint16(), 500, 2500).Draw(rt, "steps")
		r := &machine{steps: made, reached: reached}
		// rapid's own goroutine stays outside the bubble, and must be the one that reports.
		synctest.Test(t, func(*testing.T) { r.run(o, chats) })
		steps += r.made
		if r.fault != "" {
			rt.Fatal(r.fault)
		}
	}
	for steps < *machineSteps && !t.Failed() {
		rapid.Check(t, check)
	}
	t.Logf("%d steps", steps)
	for _, what := range []string{"hung", "hung until the breaker had opened", "opened by a row", "opened by slow calls"} {
		if reached[what] == 0 {
			t.Errorf("no call %s", what)
		}
	}
	for _, state := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
		for _, o := range []outcome{success, failure, deadline, panics, exits, ignored, cancelled, "late"} {
			if key := fmt.Sprint(o, " of a call begun ", state); reached[key] == 0 {
				t.Errorf("no %s in %d steps: %v", key, steps, slices.Sorted(maps.Keys(reached)))
			}
		}
	}
}

// run makes the steps, until the first difference.
func (r *machine) run(o breaker.Options, chats bool) {
	o.OnStateChange = func(t breaker.Transition) {
		r.told = append(r.told, t)
		_, _ = r.b.State(), r.b.Stats()
		if chats {
			_ = succeed(r.b)
		}
	}
	r.began = time.Now()
	r.b = must(breaker.New(o))
	r.m = newModel(o, chats, func(generation uint64) time.Duration {
		if int(generation) > len(r.told) {
			return 0
		}
		return r.told[generation-1].OpenFor
	})
	for len(r.steps) > 0 && r.fault == "" {
		r.step(0)
	}
	for what, n := range r.m.reached {
		r.reached[what] += n
	}
	for _, c := range r.calls {
		r.finish(c, success)
	}
	if s := r.b.Stats(); r.fault == "" && s.Probing != 0 {
		r.fault = fmt.Sprintf("all calls are over, but %d probes are out", s.Probing)
	}
}

// step makes one step, and those that are inside a call that it makes.
func (r *machine) step(depth int) {
	op, n := ops[int(r.steps[0])%len(ops)], int(r.steps[0])/len(ops)
	r.steps = r.steps[1:]
	r.made++
	switch op {
	case "allow", "retry":
		r.allow(op == "retry")
	case "do":
		r.do(depth, n)
	case "gone":
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := r.b.Allow(ctx); !errors.Is(err, context.Canceled) {
			r.fault = fmt.Sprintf("a caller that had gone was answered %v", err)
		}
	case "mode":
		modes := []breaker.Mode{
			breaker.Normal, breaker.Normal, breaker.Normal, breaker.ForcedOpen, breaker.ForcedClosed,
			breaker.Observe, breaker.Observe, breaker.RetriesOnly, breaker.RetriesOnly,
		}
		mode := modes[n%len(modes)]
		r.b.SetMode(mode)
		r.m.setMode(mode)
	case "sleep":
		sleeps := []time.Duration{
			1, time.Millisecond, time.Millisecond, 99 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
			999 * time.Millisecond, time.Second, r.m.o.OpenFor - 1, r.m.o.OpenFor, r.m.o.ProbeTimeout, r.m.o.Ramp / 3, r.m.o.Ramp, r.m.o.SlowCall, r.m.o.SlowCall / 4,
			max(r.m.o.SlowCall*5/4-1, 0), time.Minute,
		}
		d := sleeps[n%len(sleeps)]
		time.Sleep(d)
		r.m.now += d
		if n%3 != 0 && r.m.state == breaker.Closed {
			return // the next step finds which calls hang
		}
	case "amend", "again":
		phase := map[string]int{"amend": succeeded, "again": over}[op]
		if c := r.pick(phase, n); c != nil {
			if op == "again" {
				c.permit.Done(errDown)
			}
			c.permit.Amend(errDown)
			r.m.amend(c.model)
		}
	default:
		if c := r.pick(out, n); c != nil {
			r.finish(c, outcome(op))
		}
	}
	r.compare(op)
}

// pick returns one of the calls in a phase, if there is one.
func (r *machine) pick(phase, n int) *callOut {
	var candidates []*callOut
	for _, c := range r.calls {
		if c.model.phase == phase {
			candidates = append(candidates, c)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	return candidates[n%len(candidates)]
}

func (r *machine) context(retry bool) (context.Context, context.CancelFunc) {
	ctx := context.Background()
	if retry {
		ctx = attempt.With(ctx, 2)
	}
	return context.WithCancel(ctx)
}

func (r *machine) allow(retry bool) {
	c := new(callOut)
	var ctx context.Context
	ctx, c.end = r.context(retry)
	var err error
	c.permit, err = r.b.Allow(ctx)
	c.model = r.m.allow(retry)
	if !r.agree(err, c.model) {
		return
	}
	if c.model != nil {
		r.calls = append(r.calls, c)
		r.forget()
	}
}

// forget keeps the latest calls: of those that are over a few, and all that are out, which are few as most end.
func (r *machine) forget() {
	const kept = 40
	for i := 0; len(r.calls) > kept && i < len(r.calls); {
		if r.calls[i].model.phase == out && len(r.calls) < 4*kept {
			i++
			continue
		}
		r.finish(r.calls[i], failure)
		r.calls = slices.Delete(r.calls, i, i+1)
	}
}

func (r *machine) agree(err error, p *modelPermit) bool {
	if (err == nil) != (p != nil) {
		r.fault = fmt.Sprintf("step %d: answered %v, but the model says %+v: %+v", r.made, err, p, r.m)
	} else if err != nil && !errors.Is(err, breaker.ErrOpen) {
		r.fault = fmt.Sprintf("step %d: refused with %v", r.made, err)
	}
	return r.fault == ""
}

func (r *machine) finish(c *callOut, o outcome) {
	defer c.end()
	switch o {
	case success:
		c.permit.Done(nil)
	case deadline:
		c.permit.Done(context.DeadlineExceeded)
	case ignored:
		c.permit.Done(breaker.Ignore(errDown))
	case cancelled:
		c.end()
		c.permit.Done(context.Canceled)
	default:
		c.permit.Done(errDown)
	}
	r.done(c, o)
}

// done tells the model how a call ended.
func (r *machine) done(c *callOut, o outcome) {
	if c.model.phase == out || c.model.state == breaker.Open && c.model.phase == over {
		late := r.m.total.Late
		r.reached[fmt.Sprint(o, " of a call begun ", c.model.state)]++
		seen := map[outcome]outcome{cancelled: ignored, success: success, ignored: ignored}[o]
		if seen == "" {
			seen = failure
		}
		r.m.done(c.model, seen)
		if c.model.state == breaker.Open || r.m.total.Late > late {
			r.reached[fmt.Sprint("late of a call begun ", c.model.state)]++
		}
	}
}

// do makes a call through Do or DoValue, with steps inside, that ends in one of all ways.
func (r *machine) do(depth, n int) {
	ends := []outcome{success, failure, panics, exits, ignored, cancelled, deadline}
	o := ends[n%len(ends)]
	n /= len(ends)
	ctx, cancel := r.context(n%4 == 0)
	defer cancel()
	c := new(callOut)
	answered := false
	fn := func(context.Context) error {
		c.model = r.m.allow(n%4 == 0)
		if answered = r.agree(nil, c.model); !answered {
			return nil
		}
		r.compare("the begin of do")
		for range n % 5 {
			if depth < 3 && len(r.steps) > 0 && r.fault == "" {
				r.step(depth + 1)
			}
		}
		switch o {
		case success:
			return nil
		case panics:
			panic(errDown)
		case exits:
			runtime.Goexit()
		case ignored:
			return breaker.Ignore(errDown)
		case cancelled:
			cancel()
			return context.Canceled
		case deadline:
			return context.DeadlineExceeded
		}
		return errDown
	}
	err := guarded(o == exits, func() error {
		if n%2 == 0 {
			return r.b.Do(ctx, fn)
		}
		_, err := breaker.DoValue(ctx, r.b, func(ctx context.Context) (int, error) { return 1, fn(ctx) })
		return err
	})
	switch {
	case r.fault != "":
	case answered:
		r.done(c, o)
	default:
		r.agree(err, r.m.allow(n%4 == 0))
	}
}

// guarded calls fn, on a goroutine of its own if that may be exited, and stops panics.
func guarded(exits bool, fn func() error) (err error) {
	if !exits {
		defer func() {
			// A panic of the breaker itself may have left a lock behind. Every call on the way out would wait for it, so
			// the panic takes a goroutine where there is none.
			if p := recover(); p != nil && p != errDown {
				trace := fmt.Sprintf("%v\n%s", p, debug.Stack())
				go panic(trace)
				select {}
			}
		}()
		return fn()
	}
	var wg sync.WaitGroup
	wg.Go(func() { err = fn() })
	wg.Wait()
	return err
}

// compare tells the first difference.
func (r *machine) compare(after string) {
	if r.fault != "" {
		return
	}
	r.b.State() // lets the listener make its calls, which a snapshot does not wait for
	got, want := r.b.Stats(), r.m.stats()
	switch {
	case r.m.fault != "":
		r.fault = r.m.fault
	case got != want:
		r.fault = fmt.Sprintf("after step %d, %s:\nthe breaker: %+v\nthe model:   %+v", r.made, after, got, want)
	case len(r.told) != len(r.m.made):
		r.fault = fmt.Sprintf("after step %d, %s: told of %v, but the model made %v", r.made, after, r.told, r.m.made)
	}
	first := max(0, len(r.told)-3)
	for i, t := range r.told[first:] {
		if r.fault != "" {
			return
		}
		seen := modelChange{t.From, t.To, t.Mode, t.At.Sub(r.began), t.OpenFor, modelRatios{t.FailureRatio, t.SlowRatio}}
		if want := r.m.made[first+i]; seen != want || t.Generation != uint64(first+i+1) {
			r.fault = fmt.Sprintf("after step %d, %s: told of %+v as generation %d, want %+v", r.made, after, seen, t.Generation, want)
		}
	}
}
