package batch

import (
	"runtime"
	"time"
)

// idleYields is how often everything else that can run is let run before a batch to which nobody has come is due. Once
// would do on one processor; on several, the others may be about to finish something.
const idleYields = 4

// begin opens a batch, and has somebody look after it. The caller holds mu.
func (b *Batcher[K, V]) begin() *batch[K, V] {
	x := &batch[K, V]{index: make(map[K]*entry[K, V]), done: make(chan struct{})}
	b.open = x
	if b.linger {
		x.timer = time.AfterFunc(b.maxWait, func() { b.expire(x) })
	} else {
		go b.watch(x)
	}
	return x
}

// expire makes a batch that has lingered due. It runs on a goroutine of its own, on which the batch then runs.
func (b *Batcher[K, V]) expire(x *batch[K, V]) {
	b.mu.Lock()
	ours := b.claim(x)
	b.mu.Unlock()
	if ours {
		b.work(x)
	}
}

// watch makes a batch due when no more calls come, or MaxWait after it began. It runs on a goroutine of its own, on which
// the batch then runs. A timer could not do it: the shortest sleep is longer than most batches should wait.
func (b *Batcher[K, V]) watch(x *batch[K, V]) {
	expires := b.clock.Now() + int64(b.maxWait)
	for calls := 0; ; {
		for range idleYields {
			runtime.Gosched()
		}
		b.mu.Lock()
		if b.open != x || x.due {
			b.mu.Unlock()
			return
		}
		if x.calls == calls || b.clock.Now() >= expires {
			ours := b.claim(x)
			b.mu.Unlock()
			if ours {
				b.work(x)
			}
			return
		}
		calls = x.calls
		b.mu.Unlock()
	}
}

// claim makes x due, and takes a place for it if there is one: then the caller runs it. If there is none, x goes on
// collecting until a place is free. The caller holds mu.
func (b *Batcher[K, V]) claim(x *batch[K, V]) (ours bool) {
	if b.open != x {
		return false
	}
	x.due = true
	if b.running == b.places {
		return false
	}
	b.open = nil
	b.running++
	return true
}

// ripen makes x due and has it run. The caller holds mu.
func (b *Batcher[K, V]) ripen(x *batch[K, V]) {
	if b.claim(x) {
		x.stop()
		go b.work(x)
	}
}

// seal takes the open batch x, which is full, out of the way of further calls and has it run. The caller holds mu.
func (b *Batcher[K, V]) seal(x *batch[K, V]) {
	b.open = nil
	x.stop()
	if b.running == b.places {
		x.full = true
		b.full = append(b.full, x)
		return
	}
	b.running++
	go b.work(x)
}

func (x *batch[K, V]) stop() {
	if x.timer != nil {
		x.timer.Stop()
	}
}
