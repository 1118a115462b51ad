//go:build !race

package balance_test

import (
	"context"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/balance"
)

func TestPicksAllocateNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	healthy := newBalancer(t, balance.Options[string]{Endpoints: names(10)})
	ejecting := newBalancer(t, balance.Options[string]{Endpoints: names(10), EjectFor: time.Hour})
	for range 1000 {
		p, _ := ejecting.Pick(ctx)
		if p.Endpoint == "a" {
			p.Done(errDown)
		} else {
			p.Done(nil)
		}
	}
	if s := ejecting.Stats(); s.Ejected != 1 {
		t.Fatalf("%+v", s)
	}
	keyed := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(10)})
	sum, exclude := 0, names(3)
	for name, do := range map[string]func(){
		"Do": func() {
			_ = healthy.Do(ctx, func(_ context.Context, e string) error { sum += len(e); return nil })
		},
		"Do while one is ejected": func() {
			_ = ejecting.Do(ctx, func(_ context.Context, e string) error { sum += len(e); return nil })
		},
		"Do that fails": func() {
			_ = healthy.Do(ctx, func(_ context.Context, e string) error { sum += len(e); return context.DeadlineExceeded })
			_ = healthy.Do(ctx, work)
		},
		"DoValue": func() {
			n, _ := balance.DoValue(ctx, healthy, func(_ context.Context, e string) (int, error) { return len(e) + sum, nil })
			sum += n
		},
		"Pick": func() {
			p, _ := healthy.Pick(ctx)
			p.Done(nil)
		},
		"Pick elsewhere": func() {
			p, _ := healthy.Pick(ctx, exclude...)
			p.Done(nil)
		},
		"a Call of two attempts": func() {
			call := healthy.Call()
			for range 2 {
				_ = call.Do(ctx, func(_ context.Context, e string) error { sum += len(e); return nil })
			}
		},
		"Rendezvous": func() {
			_ = keyed.Do(ctx, "user/1", func(_ context.Context, e string) error { sum += len(e); return nil })
		},
		"Rendezvous elsewhere": func() {
			p, _ := keyed.Pick(ctx, "user/1", exclude...)
			p.Done(nil)
		},
		"Stats": func() { sum += healthy.Stats().InFlight },
	} {
		if got := testing.AllocsPerRun(1000, do); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
