package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/cache"
)

// record is what a value of the stress test's source says: the version that the source had when it was asked.
type record struct{ version int64 }

// The checker of the promise of Set and Delete. Writers change a source and then tell the cache. A Get that starts after
// a writer is done must not see a version older than that writer's: floor holds the newest version of which a writer is
// done, and every reader compares what it gets with the floor from before its Get.
func TestNoGetThatStartsAfterAWriteSeesAnOlderValue(t *testing.T) {
	const keys, writers, readers = 3, 2, 6
	const lasts = 1500 * time.Millisecond
	var truth, floor [keys]atomic.Int64
	var loads atomic.Int64
	c := newCache(t, cache.Options[int, record]{
		TTL:                  50 * time.Microsecond, // so that stale answers, refreshes and loads all happen
		StaleWhileRevalidate: 50 * time.Microsecond,
		StaleIfError:         time.Second,
		ErrorBackoff:         50 * time.Microsecond,
		NotFoundTTL:          50 * time.Microsecond,
		MaxEntries:           keys - 1, // evictions too
		Logger:               slog.New(slog.DiscardHandler),
		Load: func(_ context.Context, key int) (record, error) {
			read := record{truth[key].Load()}
			n := loads.Add(1)
			if n%2 == 0 {
				for range rand.IntN(200) { // the answer is on its way while others write
					runtime.Gosched()
				}
			}
			switch n % 7 {
			case 0:
				return record{}, errDown
			default:
				return read, nil
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answers atomic.Int64
	began := time.Now()
	over := func() bool { // on a busy machine it may take longer until enough has happened to tell
		if ctx.Err() != nil {
			return true
		}
		s := c.Stats()
		return time.Since(began) > lasts && answers.Load() >= 1000 && s.Loads >= 100 && s.Hits > 0 && s.Stale > 0
	}
	var wg sync.WaitGroup
	var locks [keys]sync.Mutex // one writer per key at a time, so that a Set is of the newest version
	for w := range writers {
		wg.Go(func() {
			for i := w; !over(); i++ {
				key := i % keys
				locks[key].Lock()
				version := truth[key].Add(1)
				if i%2 == 0 {
					_ = c.Set(ctx, key, record{version})
				} else {
					_ = c.Delete(ctx, key)
				}
				floor[key].Store(version)
				locks[key].Unlock()
				for range rand.IntN(300) {
					runtime.Gosched()
				}
			}
		})
	}
	for r := range readers {
		wg.Go(func() {
			for i := r; i%100 != 0 || !over(); i++ {
				key := i % keys
				oldest := floor[key].Load()
				got, err := c.Get(t.Context(), key)
				if err == nil && got.version < oldest {
					t.Errorf("a Get saw version %d, but the write of version %d was over when it began", got.version, oldest)
					cancel()
				}
				if err == nil {
					answers.Add(1)
				}
			}
		})
	}
	wg.Wait()
}

// One goroutine, any sequence of operations and times: the cache against the plainest model of it.
func TestTheCacheAnswersAsItsModelDoes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(r, "operations")
		steps := make([]modelStep, n)
		for i := range steps {
			steps[i] = modelStep{
				op:     rapid.SampledFrom([]string{"get", "get", "get", "set", "delete", "refresh"}).Draw(r, "op"),
				key:    rapid.SampledFrom([]string{"a", "b"}).Draw(r, "key"),
				source: rapid.SampledFrom([]string{"ok", "ok", "fails", "gone"}).Draw(r, "source"),
				sleep:  time.Duration(rapid.IntRange(0, 40).Draw(r, "seconds")) * time.Second,
			}
		}
		runModel(t, steps)
	})
}

type modelStep struct {
	op, key, source string
	sleep           time.Duration
}

func (s modelStep) String() string {
	return fmt.Sprintf("%s %s, source %s, after %v", s.op, s.key, s.source, s.sleep)
}
