package pool_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/pool"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(crashEnv); mode != "" {
		crash(mode)
		return
	}
	goleak.VerifyTestMain(m)
}

// open returns a pool that is closed at the end of the test.
func open(t testing.TB, o pool.Options) *pool.Pool {
	t.Helper()
	p, err := pool.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// occupy fills n workers with tasks that end when the returned function is called, and returns once they run.
func occupy(t testing.TB, p *pool.Pool, n int) (release func()) {
	t.Helper()
	running, hold := make(chan struct{}), make(chan struct{})
	for range n {
		if err := p.Go(context.Background(), func(context.Context) { running <- struct{}{}; <-hold }); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		<-running
	}
	return func() { close(hold) }
}

func nothing(context.Context) {}

func zero(context.Context) (int, error) { return 0, nil }

// run gives fn to the pool and returns once it has ended.
func run(ctx context.Context, t testing.TB, p *pool.Pool, fn func(context.Context)) {
	t.Helper()
	done := make(chan struct{})
	if err := p.Go(ctx, func(ctx context.Context) { defer close(done); fn(ctx) }); err != nil {
		t.Fatal(err)
	}
	<-done
}

// ended is how many tasks s knows the end of.
func ended(s pool.Stats) int64 {
	return s.OK + s.Errors + s.Panics + s.Goexits + s.Cancelled + s.Rejected + s.Dropped
}
