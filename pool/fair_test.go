package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool"
)

func TestTenantsTakeTurnsAndTheTasksOfOneKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Fair: true})
		release := occupy(t, p, 1)
		var order []string
		for _, c := range []struct {
			tenant string
			tasks  int
		}{{"a", 5}, {"b", 2}, {"", 1}, {"c", 3}} {
			for i := range c.tasks {
				if err := p.Go(pool.WithTenant(t.Context(), c.tenant), func(context.Context) {
					order = append(order, fmt.Sprintf("%s%d", c.tenant, i))
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := p.Stats().Tenants; got != 4 {
			t.Errorf("%d tenants", got)
		}
		release()
		synctest.Wait()
		if want := []string{"a0", "b0", "0", "c0", "a1", "b1", "c1", "a2", "c2", "a3", "a4"}; !slices.Equal(order, want) {
			t.Errorf("got  %v\nwant %v", order, want)
		}
		if s := p.Stats(); s.Tenants != 0 {
			t.Errorf("state of %d tenants is left without tasks", s.Tenants)
		}
	})
}

func TestATenantHasAtMostAsManyPlacesAsAreFree(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, Queue: 12, Fair: true, WhenFull: pool.Reject})
	release := occupy(t, p, 1)
	fill := func(tenant string) (n int) {
		for ; p.Go(pool.WithTenant(t.Context(), tenant), nothing) == nil; n++ {
		}
		return n
	}
	for i, want := range []int{6, 3, 2, 1, 0} { // of 12, 6, 3, 1 and 0 that are free
		if got := fill(fmt.Sprint(i)); got != want {
			t.Errorf("tenant %d has %d places, want %d", i, got, want)
		}
	}
	if err := p.Go(pool.WithTenant(t.Context(), "0"), nothing); !errors.Is(err, pool.ErrFull) {
		t.Errorf("got %v", err)
	}
	release()
}

func TestATenantThatIsFullBlocksItsOwnCallersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 8, Fair: true})
		release := occupy(t, p, 1)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { _ = p.Go(pool.WithTenant(t.Context(), "greedy"), nothing) })
		}
		synctest.Wait()
		if s := p.Stats(); s.Queued != 4 || s.Waiting != 46 {
			t.Errorf("got %+v", s)
		}
		if err := p.Go(pool.WithTenant(t.Context(), "modest"), nothing); err != nil { // does not block
			t.Error(err)
		}
		release()
		wg.Wait()
	})
}

// A place that is free is not for the tenant whose turn it is, who has its share, but it is for the next.
func TestAPlaceGoesToTheNextTenantThatMayHaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 2, Fair: true})
		release := occupy(t, p, 1)
		next := make(chan struct{}) // lets the first task of a tenant end
		send := func(tenant string, fn func(context.Context)) {
			go func() {
				if err := p.Go(pool.WithTenant(t.Context(), tenant), fn); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		send("a", func(context.Context) { <-next })
		send("b", nothing)
		send("b", nothing) // waits
		send("c", nothing) // waits
		if s := p.Stats(); s.Queued != 2 || s.Waiting != 2 {
			t.Fatalf("got %+v", s)
		}
		release() // the task of a runs; one place is free, and b has one already
		synctest.Wait()
		if s := p.Stats(); s.Queued != 2 || s.Waiting != 1 {
			t.Errorf("got %+v, want c to have the place", s)
		}
		close(next)
		synctest.Wait()
	})
}

func TestATaskKeepsItsTenant(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, Fair: true})
	run(pool.WithTenant(t.Context(), "a"), t, p, func(ctx context.Context) {
		_ = p.Go(ctx, nothing)
		_ = p.Go(pool.WithTenant(t.Context(), "a"), nothing)
		if got := p.Stats().Tenants; got != 1 {
			t.Errorf("%d tenants", got)
		}
	})
}

// tenantWaits runs ten tenants for a virtual minute on a pool of 4 workers, and returns the p99 of the time from call to end
// for the nine that send 10 tasks per second; the tenth sends greedy times as many. Tasks take from 0.5 to 1.5 ms: were all
// alike, the workers would begin them in step, and whoever comes would wait for a whole task, the most there can be, instead
// of the rest of the one that ends first.
func tenantWaits(t *testing.T, fair bool, greedy int) (p99 time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 4, Queue: 8192, Fair: fair, WhenFull: pool.Reject})
		var mu sync.Mutex
		var waits []time.Duration
		lengths := rand.New(rand.NewPCG(1, 2)) // guarded by mu
		work := func() {
			mu.Lock()
			length := time.Millisecond/2 + time.Duration(lengths.Int64N(int64(time.Millisecond)))
			mu.Unlock()
			time.Sleep(length)
		}
		send := func(tenant string, each time.Duration, batch int, measured bool) {
			ctx := pool.WithTenant(t.Context(), tenant)
			for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(each) {
				came := time.Now()
				for range batch {
					_ = p.Go(ctx, func(context.Context) {
						work()
						if measured {
							mu.Lock()
							waits = append(waits, time.Since(came))
							mu.Unlock()
						}
					})
				}
			}
		}
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 11 * time.Millisecond)
				send(fmt.Sprint(i), 100*time.Millisecond, 1, true)
			})
		}
		if greedy > 0 {
			wg.Go(func() { send("greedy", 100*time.Millisecond, greedy, false) })
		}
		wg.Wait()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		slices.Sort(waits)
		p99 = waits[len(waits)*99/100]
	})
	return p99
}

func TestATenantThatSends100TimesAsMuchDoublesThe99thPercentileOfOthersAtMost(t *testing.T) {
	alone, fair, unfair := tenantWaits(t, true, 0), tenantWaits(t, true, 1000), tenantWaits(t, false, 1000)
	t.Logf("p99 of nine tenants: alone %v, beside one that sends 100 × as much %v, without Fair %v", alone, fair, unfair)
	if fair > 2*alone {
		t.Errorf("%v, alone %v", fair, alone)
	}
	if unfair < 10*alone {
		t.Errorf("without Fair %v, alone %v: the load is none", unfair, alone)
	}
}
