package ratelimit

import "github.com/joist-go/joist/internal/options"

// SetLimits puts other limits in the place of those that l has. Each bucket is as full then, by share, as that of the
// limit of the same name was, or else as the emptiest was: a change frees nobody, and a bucket that was in debt still is.
// After Unlimited a bucket is full, and after None empty.
// No take is lost or made twice meanwhile, and whoever waits is timed anew. The error lists everything that is wrong with
// limits, as that of New does; nothing changes then.
func (l *Limiter) SetLimits(limits []Limit) error {
	f := options.Check("joist/ratelimit", "Options")
	checkLimits(f, limits)
	if err := f.Err(); err != nil {
		return err
	}
	next := newPlan(limits, l.cells)
	l.setting.Lock()
	old, now := l.state.Load(), l.clock.Now()
	l.state.Store(newState(next, next.inherit(old.plan, old.seal(), now)))
	l.setting.Unlock()
	l.queue.poke()
	return nil
}
