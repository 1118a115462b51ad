package batch_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/pool/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errRun = errors.New("run failed")
	quiet  = slog.New(slog.DiscardHandler)
)

func newBatcher(t testing.TB, o batch.Options[int, int]) *batch.Batcher[int, int] {
	t.Helper()
	b, err := batch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// double answers each key with twice the key.
func double(_ context.Context, keys []int) (map[int]int, error) {
	found := make(map[int]int, len(keys))
	for _, key := range keys {
		found[key] = 2 * key
	}
	return found, nil
}

// gated is a Run that tells of its keys and waits to be let go.
type gated struct {
	began chan []int
	gate  chan struct{}
}

func newGated() *gated {
	return &gated{began: make(chan []int, 1000), gate: make(chan struct{})}
}

func (g *gated) run(ctx context.Context, keys []int) (map[int]int, error) {
	g.began <- keys
	select {
	case <-g.gate:
		return double(ctx, keys)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// answer is what one call got.
type answer struct {
	value int
	err   error
}

// get makes a call on a goroutine of its own and returns when it waits, in a bubble.
func get(ctx context.Context, b *batch.Batcher[int, int], key int) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		v, err := b.Get(ctx, key)
		got <- answer{v, err}
	}()
	synctest.Wait()
	return got
}

// want checks what a call has got by now, in a bubble.
func want(t *testing.T, got <-chan answer, value int, err error) {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-got:
		if a.value != value || !errors.Is(a.err, err) {
			t.Errorf("got %d, %v; want %d, %v", a.value, a.err, value, err)
		}
	default:
		t.Errorf("still waiting; want %d, %v", value, err)
	}
}
