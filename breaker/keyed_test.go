package breaker_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/joist-go/joist/breaker"
)

func newKeyed(t *testing.T, o breaker.KeyedOptions[string]) *breaker.Keyed[string] {
	t.Helper()
	if o.MinCalls == 0 {
		o.MinCalls = 1
	}
	k, err := breaker.NewKeyed(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEachKeyHasItsOwnBreaker(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{})
	wantErr(t, fail(k.For("a")), errDown)
	wantErr(t, succeed(k.For("a")), breaker.ErrOpen)
	wantErr(t, succeed(k.For("b")), nil)
	if s := k.Stats(); s.Open != 1 || s.Closed != 1 || s.HalfOpen != 0 || s.Successes != 1 || s.Failures != 1 || s.Refused != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestANewKeyDropsAnIdleClosedBreakerAndNoOther(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 3})
	wantErr(t, fail(k.For("open")), errDown)
	busy := must(k.For("busy").Allow(t.Context()))
	idle := k.For("idle")
	wantErr(t, succeed(idle), nil)
	wantErr(t, succeed(k.For("new")), nil)
	if k.For("idle") == idle {
		t.Error("the idle breaker was not dropped")
	}
	wantErr(t, succeed(k.For("open")), breaker.ErrOpen)
	busy.Done(errDown)
	wantErr(t, succeed(k.For("busy")), breaker.ErrOpen)
	if s := k.Stats(); s.Closed+s.Open+s.HalfOpen != 3 || s.Dropped != 2 || s.Overflowed != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNewKeysShareTheOverflowBreakerWhenNoneMayBeDropped(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 2})
	wantErr(t, fail(k.For("open")), errDown)
	busy := must(k.For("busy").Allow(t.Context()))
	if k.For("c") != k.For("d") {
		t.Fatal("two keys beyond the bound have two breakers")
	}
	wantErr(t, fail(k.For("c")), errDown)
	wantErr(t, succeed(k.For("d")), breaker.ErrOpen)
	if s := k.Stats(); s.Open != 1 || s.Closed != 1 || s.Dropped != 0 || s.Overflowed != 4 || s.Failures != 2 {
		t.Errorf("%+v", s)
	}
	busy.Done(nil)
	wantErr(t, succeed(k.For("d")), nil) // there is room now
}

func TestABreakerThatWasAskedForLatelyIsDroppedAfterOthers(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 4})
	for _, key := range []string{"a", "b", "c", "d"} {
		k.For(key)
	}
	k.For("e") // takes note of all, and drops the first that it saw
	b, c := k.For("b"), k.For("c")
	k.For("f") // drops d, the next that was not asked for since
	if k.For("b") != b || k.For("c") != c {
		t.Error("one that was asked for was dropped")
	}
}

func TestANewBreakerIsNotDroppedBeforeItsFirstCall(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 2})
	k.For("a")
	k.For("b")
	c := k.For("c") // in the place of a
	k.For("b")
	k.For("d")
	if k.For("c") != c {
		t.Error("a breaker that was just made was dropped for another")
	}
}

func TestADroppedBreakerWorksOnAndItsCountsStay(t *testing.T) {
	p := &meterProvider{}
	o := breaker.KeyedOptions[string]{MaxKeys: 1}
	o.MeterProvider = p
	k := newKeyed(t, o)
	old := k.For("a")
	wantErr(t, succeed(old), nil)
	k.For("b")
	wantErr(t, succeed(old), nil)
	wantErr(t, fail(old), errDown)
	wantErr(t, fail(old), errDown)
	wantErr(t, succeed(old), breaker.ErrOpen)
	runtime.KeepAlive(old)
	old = nil
	want := map[string]int64{
		"calls outcome=success joist.name=default":           2,
		"calls outcome=failure joist.name=default":           2,
		"calls outcome=refused joist.name=default":           1,
		"transitions from=closed to=open joist.name=default": 1,
		"status state=closed joist.name=default":             1,
	}
	wantSeries(t, p, want)
	if n := breaker.DroppedTallies(k); n != 1 {
		t.Errorf("%d dropped breakers are counted, want 1", n)
	}
	eventually(t, func() bool { return breaker.DroppedTallies(k) == 0 })
	wantSeries(t, p, want)
	if s := k.Stats(); s.Successes != 2 || s.Failures != 2 || s.Refused != 1 { // the metrics would not fall if these did
		t.Errorf("%+v", s)
	}
	runtime.KeepAlive(k)
}

func TestAFloodOfKeysAddsNoSeriesAndStaysBounded(t *testing.T) {
	p := &meterProvider{}
	o := breaker.KeyedOptions[string]{MaxKeys: 100}
	o.MeterProvider = p
	k := newKeyed(t, o)
	series := len(p.collect())
	for i := range 20_000 {
		wantErr(t, succeed(k.For(fmt.Sprint("host-", i))), nil)
	}
	if n := len(p.collect()); n != series {
		t.Errorf("%d series, %d before", n, series)
	}
	if s := k.Stats(); s.Closed != 100 || s.Dropped != 19_900 || s.Successes != 20_000 {
		t.Errorf("%+v", s)
	}
}

func TestTheStatusCountsBreakersByState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &meterProvider{}
		o := breaker.KeyedOptions[string]{}
		o.MeterProvider, o.OpenFor, o.MaxOpenFor = p, time.Second, time.Second
		k := newKeyed(t, o)
		wantErr(t, fail(k.For("a")), errDown)
		time.Sleep(time.Second)
		wantErr(t, fail(k.For("b")), errDown)
		for _, key := range []string{"c", "d", "e"} {
			wantErr(t, succeed(k.For(key)), nil)
		}
		got := p.collect()
		for series, want := range map[string]int64{"half_open": 1, "open": 1, "closed": 3} {
			if n := got["status state="+series+" joist.name=default"]; n != want {
				t.Errorf("%d breakers are %s, want %d: %v", n, series, want, got)
			}
		}
	})
}

func TestListenersOfAKeyedLearnTheKey(t *testing.T) {
	var told []string
	o := breaker.KeyedOptions[string]{OnKeyStateChange: func(key string, t breaker.Transition) { told = append(told, key+" "+t.To.String()) }}
	o.OnStateChange = func(t breaker.Transition) { told = append(told, t.To.String()) }
	k := newKeyed(t, o)
	wantErr(t, fail(k.For("a")), errDown)
	if !slices.Equal(told, []string{"open", "a open"}) {
		t.Fatalf("told %q", told)
	}
}

func TestAKeyOfAStringKeepsNoLargerOneAlive(t *testing.T) {
	var told string
	k := newKeyed(t, breaker.KeyedOptions[string]{
		Options:          breaker.Options{MinCalls: 1},
		OnKeyStateChange: func(key string, _ breaker.Transition) { told = key },
	})
	key := strings.Repeat("x", 100)[:1] // of a request's header, say
	wantErr(t, fail(k.For(key)), errDown)
	if told != key || unsafe.StringData(told) == unsafe.StringData(key) { //nolint:gosec // only compared
		t.Error("the key is a part of the string that it came from")
	}
}

func TestAKeyThatDoesNotEqualItselfOverflows(t *testing.T) {
	k := must(breaker.NewKeyed(breaker.KeyedOptions[float64]{}))
	for range 100 {
		wantErr(t, succeed(k.For(math.NaN())), nil)
	}
	if s := k.Stats(); s.Closed != 0 || s.Overflowed != 100 || s.Successes != 100 {
		t.Fatalf("%+v", s)
	}
}

func TestACallThatPanicsLeavesItsKeyDroppable(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 1, Options: breaker.Options{MinCalls: 100}})
	func() {
		defer func() { _ = recover() }()
		_ = k.For("a").Do(t.Context(), func(context.Context) error { panic("boom") })
	}()
	wantErr(t, k.For("a").Do(t.Context(), func(context.Context) error { return breaker.Ignore(errDown) }), errDown)
	k.For("b")
	if s := k.Stats(); s.Dropped != 1 || s.Overflowed != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestConcurrentKeysLoseNoCount(t *testing.T) {
	const goroutines, each = 16, 500
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 8, Options: breaker.Options{MinCalls: 1000}})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				_ = succeed(k.For(fmt.Sprint((g*7 + i) % 23)))
			}
		})
	}
	wg.Wait()
	if s := k.Stats(); s.Successes != goroutines*each || s.Closed > 8 || s.Dropped == 0 {
		t.Fatalf("%+v", s)
	}
}
