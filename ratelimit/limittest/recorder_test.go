package limittest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
)

// recorder is a testing.TB that keeps what it is told of failures.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	faults []string
}

func (r *recorder) record(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, text)
}

func (r *recorder) Helper()                   {}
func (r *recorder) Logf(string, ...any)       {}
func (r *recorder) Error(args ...any)         { r.record(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any) { r.record(fmt.Sprintf(f, a...)) }

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(f string, a ...any) {
	r.Errorf(f, a...)
	runtime.Goexit()
}

// recorded runs fn, which may end by a fatal fault, and returns the faults.
func recorded(t testing.TB, fn func(t testing.TB)) []string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(r)
	}()
	<-done
	return r.faults
}

// faultsOf returns the faults that the named test of the suite finds in h.
func faultsOf(t *testing.T, h Harness, name string) (faults []string) {
	t.Helper()
	i := slices.IndexFunc(contract, func(c clause) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no test %q", name)
	}
	h.check(t)
	h.within(t, func(t testing.TB) {
		faults = recorded(t, func(t testing.TB) { contract[i].test(&suite{t: t, harness: h}) })
	})
	return faults
}

func TestAHarnessThatIsNotValidIsRefused(t *testing.T) {
	fine := func(testing.TB, ...ratelimit.Limit) ratelimit.Taker { return nil }
	for want, h := range map[string]Harness{
		"Harness.New is not set":                   {},
		"Harness.Resolution is -1ns":               {New: fine, Resolution: -1},
		"Harness.Second is 300ms, but must be":     {New: fine, Second: 300e6},
		"Harness.Second is 2s, but must be":        {New: fine, Second: 2e9},
		"Harness.Second is -20ms, but must be a s": {New: fine, Second: -20e6},
	} {
		faults := recorded(t, func(t testing.TB) { h.check(t) })
		if len(faults) != 1 || !strings.HasPrefix(faults[0], "joist/limittest: "+want) {
			t.Errorf("%q, want %q", faults, want)
		}
	}
}

// TestATakerThatHasAMethodInAnotherFormFails: what is meant to be tested is not left out for a slip.
func TestATakerThatHasAMethodInAnotherFormFails(t *testing.T) {
	type slips struct {
		ratelimit.Taker
		refundsWithout
	}
	h := Harness{New: func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
		return slips{Taker: joist.Must(ratelimit.New(ratelimit.Options{Limits: limits})).Taker()}
	}}
	faults := faultsOf(t, h, "refunds are exact, and never above the burst")
	if len(faults) != 1 || !strings.Contains(faults[0], "method Refund of limittest.slips is not that of ratelimit.Refunder") {
		t.Errorf("%q", faults)
	}
}

type refundsWithout struct{}

func (refundsWithout) Refund(int64) {}
