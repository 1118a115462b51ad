//go:build !race

package throttle_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/breaker/throttle"
)

func TestTheHotPathsDoNotAllocate(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	well, outer := must(throttle.New(throttle.Options{})), must(throttle.New(throttle.Options{}))
	bad := after(throttle.Options{}, 0, 10_000)
	throttle.Draw(bad, refuseAll)
	for name, call := range map[string]func(){
		"Do": func() { _ = well.Do(ctx, accept) },
		"Allow and Done": func() {
			p, err := well.Allow(ctx)
			if err != nil {
				t.Error(err)
			}
			p.Done(nil)
		},
		"a refusal": func() {
			if bad.Do(ctx, accept) == nil {
				t.Error("not refused")
			}
		},
		"a nested, capturing composition": func() {
			n := 0
			err := outer.Do(ctx, func(ctx context.Context) error {
				v, err := throttle.DoValue(ctx, well, func(context.Context) (int, error) { n++; return n, nil })
				n += v
				return err
			})
			if n != 2 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		},
	} {
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestACallThatIsRejectedDoesNotAllocate(t *testing.T) {
	th := must(throttle.New(throttle.Options{}))
	throttle.Draw(th, refuseNone)
	if n := testing.AllocsPerRun(1000, func() { _ = th.Do(context.Background(), reject) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
