package batch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
)

// Batcher merges calls into batches. It is made with [New] and safe for concurrent use. Without calls it has no
// goroutine; one that is not closed is collected when it is dropped.
//
// A batch is open while it collects calls, then it may have to queue for a place, then it runs. There is at most one open
// batch. It becomes due when it has waited for more calls long enough.
//
//	open ──(size, bytes)──> full, first in first out ──(a place is free)──> running ──> done
//	open ──(due, and a place is free)─────────────────────────────────────> running
//
// One mutex guards all of this. The answers of a batch are written by the goroutine that runs it, before done is closed,
// and read by others after.
//
// Callers may come and leave for as long as no place is free, so what they leave behind is swept away when it is more than
// what is wanted: entries from a batch, batches from full. Thus MaxPending bounds the memory too.
type Batcher[K comparable, V any] struct {
	name       string
	run        func(context.Context, []K) (map[K]V, error)
	maxSize    int
	maxBytes   int
	sizeOf     func(K) int
	linger     bool
	maxWait    time.Duration
	places     int
	maxPending int
	timeout    time.Duration // NoTimeout for none
	clock      clock.Clock
	typical    clock.Average // of runs
	cell       *telemetry.Cell
	sizes      *telemetry.Sizes
	log        *telemetry.Log
	refusal    *ClosedError
	ctx        context.Context // of all runs; ends when Close gives up
	cancel     context.CancelCauseFunc

	mu      sync.Mutex
	open    *batch[K, V]
	full    []*batch[K, V]
	left    int   // batches of full that everybody has left
	pending int   // calls that wait for batches that have not begun
	running int   // batches, at most places
	batches int64 // that were run
	closed  bool
	idle    chan struct{} // closed when the batcher is closed and nothing is under way
}

// batch is the calls that go together.
type batch[K comparable, V any] struct {
	index map[K]*entry[K, V] // the keys that somebody waits for
	order []*entry[K, V]     // in the order in which they came, with some that nobody waits for any more
	keys  int                // that somebody waits for
	bytes int                // of them
	calls int                // that came
	due   bool
	full  bool        // waits in the batcher's full
	begun bool        // runs: who leaves from now on changes nothing
	timer *time.Timer // with Linger
	done  chan struct{}
}

// entry is one key of a batch, and what becomes of it.
type entry[K comparable, V any] struct {
	key     K
	bytes   int
	waiters int
	value   V
	err     error
}

// Get returns what Run answers for key. Calls for one key in one batch share the answer. It blocks until the batch has
// run, or ctx ends, and is safe for concurrent use. It returns
//
//   - ctx.Err() when ctx ends first; the batch goes on for others;
//   - a [*MissingError] when Run has no answer for key;
//   - the key's error when Run gives it one in [Errors], else the error of Run;
//   - a [*PanicError] or [ErrGoexit] when Run ended so;
//   - a [*FullError] at once when MaxPending calls are waiting;
//   - a [*ClosedError] at once after [Batcher.Close].
func (b *Batcher[K, V]) Get(ctx context.Context, key K) (V, error) {
	call := [1]place[K, V]{{e: b.ask(key)}}
	b.join(ctx, call[:])
	return b.wait(ctx, call[0])
}

// GetMany is [Batcher.Get] for several keys, and counts as a call for each. It joins them all to batches before it waits
// for any, so that one call fills a batch; a key that stands several times is asked for once. It returns the values that
// there are, and, if a key failed, an error in which errors.As finds an [Errors] with the error of each such key: when ctx
// ends, of those without an answer by then. The error is a refusal only if every key was refused.
func (b *Batcher[K, V]) GetMany(ctx context.Context, keys []K) (map[K]V, error) {
	places := make([]place[K, V], 0, len(keys))
	seen := make(map[K]struct{}, len(keys))
	for _, key := range keys { // no key joins before what may panic is over
		if _, again := seen[key]; !again {
			seen[key] = struct{}{}
			places = append(places, place[K, V]{e: b.ask(key)})
		}
	}
	b.join(ctx, places)
	failed := make(Errors[K])
	found := make(map[K]V, len(places))
	for _, p := range places {
		if v, err := b.wait(ctx, p); err != nil {
			failed[p.e.key] = err
		} else {
			found[p.e.key] = v
		}
	}
	switch {
	case len(failed) == 0:
		return found, nil
	case len(found) == 0:
		return found, failed
	default:
		return found, &partialError[K]{failed}
	}
}

// place is where a call waits: its key in a batch, or why it is in none.
type place[K comparable, V any] struct {
	x   *batch[K, V]
	e   *entry[K, V]
	err error
}

// wait waits for the batch of p.
func (b *Batcher[K, V]) wait(ctx context.Context, p place[K, V]) (V, error) {
	x, e := p.x, p.e
	if x == nil {
		var zero V
		return zero, p.err
	}
	select {
	case <-x.done:
	case <-ctx.Done():
		select {
		case <-x.done: // both are ready: an answer is worth more
		default:
			b.leave(x, e)
			b.cell.Add(wordCancelled, 1)
			var zero V
			return zero, ctx.Err()
		}
	}
	if e.err == nil {
		b.cell.Add(wordOK, 1)
		return e.value, nil
	}
	b.cell.Add(wordOf(e.err), 1)
	return e.value, e.err
}

// ask returns what a call for key brings along. It runs SizeOf, and so is called outside mu.
func (b *Batcher[K, V]) ask(key K) *entry[K, V] {
	e := &entry[K, V]{key: key}
	if b.maxBytes > 0 {
		e.bytes = max(b.sizeOf(key), 0)
	}
	return e
}

// join adds calls to the open batch, all in one critical section: it does not go before the last of them is in.
func (b *Batcher[K, V]) join(ctx context.Context, places []place[K, V]) {
	if err := ctx.Err(); err != nil {
		b.cell.Add(wordCancelled, int64(len(places)))
		for i := range places {
			places[i].err = err
		}
		return
	}
	hurry := b.linger && b.hurries(ctx)

	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range places {
		places[i] = b.add(ctx, places[i].e)
	}
	if hurry && b.open != nil {
		b.ripen(b.open)
	}
}

// add adds a call to the open batch, with the entry that it shares with others for the same key. The caller holds mu.
func (b *Batcher[K, V]) add(ctx context.Context, e *entry[K, V]) place[K, V] {
	if b.closed || b.pending >= b.maxPending {
		return place[K, V]{e: e, err: b.refuse(ctx)}
	}
	x := b.open
	if x != nil && b.maxBytes > 0 && x.index[e.key] == nil && x.keys > 0 && x.bytes > b.maxBytes-e.bytes {
		b.seal(x)
		x = nil
	}
	if x == nil {
		x = b.begin()
	}
	if shared := x.index[e.key]; shared != nil {
		e = shared
	} else {
		x.index[e.key] = e
		x.order = append(x.order, e)
		x.keys++
		x.bytes += e.bytes
	}
	e.waiters++
	x.calls++
	b.pending++
	if x.keys >= b.maxSize {
		b.seal(x)
	}
	return place[K, V]{x: x, e: e}
}

// hurries tells whether ctx would end before the answer of a batch that lingers.
func (b *Batcher[K, V]) hurries(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= b.maxWait+b.typical.Get()
}

// leave takes a call out of a batch. A key that nobody else waits for is not asked for, if the batch has not begun.
func (b *Batcher[K, V]) leave(x *batch[K, V], e *entry[K, V]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.waiters--
	if x.begun {
		return
	}
	b.pending--
	if e.waiters == 0 {
		delete(x.index, e.key)
		x.keys--
		x.bytes -= e.bytes
		b.sweep(x)
	}
}

// sweep drops what callers have left behind in x, or x itself, when it is more than what is wanted. The caller holds mu.
func (b *Batcher[K, V]) sweep(x *batch[K, V]) {
	if len(x.order) > 2*x.keys+16 {
		x.order = slices.DeleteFunc(x.order, func(e *entry[K, V]) bool { return e.waiters == 0 })
		clear(x.index) // of keys that are not equal to themselves, which delete does not find
		for _, e := range x.order {
			x.index[e.key] = e
		}
	}
	if x.full && x.keys == 0 {
		if b.left++; 2*b.left > len(b.full) {
			b.full = slices.DeleteFunc(b.full, func(x *batch[K, V]) bool { return x.keys == 0 })
			b.left = 0
		}
	}
}

// refuse returns why a call cannot join. The caller holds mu.
func (b *Batcher[K, V]) refuse(ctx context.Context) error {
	b.cell.Add(wordRejected, 1)
	if b.closed {
		telemetry.Event(ctx, "joist.batch.refused", b.name)
		return b.refusal
	}
	telemetry.Event(ctx, "joist.batch.full", b.name)
	return &FullError{Name: b.name, Pending: b.pending, Wait: b.typical.Get()}
}
