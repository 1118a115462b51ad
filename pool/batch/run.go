package batch

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// work runs x, on a place that it has, and then what else can go on that place.
func (b *Batcher[K, V]) work(x *batch[K, V]) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if next := b.next(); next != nil { // Run has ended this goroutine; the place goes on, on another
			go b.work(next)
		}
	}()
	for x != nil {
		b.execute(x)
		x = b.next()
	}
	returned = true
}

// next returns the batch that goes on a place that is free now, or gives the place up.
func (b *Batcher[K, V]) next() *batch[K, V] {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.full) > 0 {
		x := b.full[0]
		b.full[0] = nil
		b.full = b.full[1:]
		x.full = false
		if x.keys > 0 {
			return x
		}
		b.left--
	}
	if x := b.open; x != nil && x.due {
		b.open = nil
		x.stop()
		return x
	}
	b.running--
	b.drained()
	return nil
}

// execute runs x and answers those who wait. It always answers, also when Run panics or ends the goroutine.
func (b *Batcher[K, V]) execute(x *batch[K, V]) {
	keys, calls := b.take(x)
	if len(keys) == 0 {
		close(x.done)
		return
	}
	var (
		found  map[K]V
		err    = ErrGoexit
		ctx    = b.ctx
		cancel = func() {}
	)
	if b.timeout != NoTimeout {
		ctx, cancel = context.WithTimeout(ctx, b.timeout)
	}
	begun := b.clock.Now()
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		cancel()
		b.typical.Add(time.Duration(b.clock.Now() - begun))
		b.sizes.Record(context.Background(), int64(calls))
		b.deal(x, found, err)
	}()
	found, err = b.run(ctx, keys)
}

// take begins x: who leaves from now on changes nothing. It returns the keys that somebody waits for, and how many calls
// do.
func (b *Batcher[K, V]) take(x *batch[K, V]) (keys []K, calls int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x.begun = true
	keys = make([]K, 0, x.keys)
	for _, e := range x.order {
		if e.waiters > 0 {
			keys = append(keys, e.key)
			calls += e.waiters
		}
	}
	b.pending -= calls
	if calls > 0 {
		b.batches++
	}
	return keys, calls
}

// deal gives each key of x its own answer.
func (b *Batcher[K, V]) deal(x *batch[K, V], found map[K]V, err error) {
	own, single := errors.AsType[Errors[K]](err)
	answered := 0
	for _, e := range x.order {
		switch v, ok := found[e.key]; {
		case err != nil && !single:
			e.err = err
		case own[e.key] != nil:
			e.err = own[e.key]
		case ok:
			e.value = v
		default:
			e.err = &MissingError{Name: b.name}
		}
		if _, ok := found[e.key]; ok {
			answered++
		}
	}
	if extra := len(found) - answered; extra > 0 {
		b.cell.Add(wordExtra, int64(extra))
	}
	if failed := err != nil && (!single || len(own.Unwrap()) > 0); failed && !b.awaited(x) {
		b.log.Warn(context.Background(), "batch failed when nobody waited any more", err)
	}
	close(x.done)
}

// awaited tells whether somebody waits for x.
func (b *Batcher[K, V]) awaited(x *batch[K, V]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range x.order {
		if e.waiters > 0 {
			return true
		}
	}
	return false
}
