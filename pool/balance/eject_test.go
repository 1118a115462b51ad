package balance_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/balance"
)

// send makes n calls that may go to one endpoint alone, if it serves.
func send(t *testing.T, b *balance.Balancer[string], endpoint string, n int, err error) {
	t.Helper()
	var others []string
	for _, e := range b.Endpoints() {
		if e.Endpoint != endpoint {
			others = append(others, e.Endpoint)
		}
	}
	for range n {
		p, refused := b.Pick(t.Context(), others...)
		if refused != nil || p.Endpoint != endpoint {
			t.Fatalf("picked %q, %v; want %q", p.Endpoint, refused, endpoint)
		}
		p.Done(err)
	}
}

func wantState(t *testing.T, b *balance.Balancer[string], endpoint string, want balance.State) {
	t.Helper()
	if got := stateOf(t, b, endpoint).State; got != want {
		t.Fatalf("%s is %v, want %v", endpoint, got, want)
	}
}

// bubble runs a test on a balancer of n endpoints in virtual time.
func bubble(t *testing.T, n int, o balance.Options[string], test func(t *testing.T, b *balance.Balancer[string])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Endpoints = names(n)
		test(t, newBalancer(t, o))
	})
}

func TestFailuresInARowEject(t *testing.T) {
	bubble(t, 4, balance.Options[string]{}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 4, errDown)
		send(t, b, "a", 1, nil)
		send(t, b, "a", 4, errDown)
		wantState(t, b, "a", balance.Ready)
		send(t, b, "a", 1, errDown)
		wantState(t, b, "a", balance.Ejected)
		for range 100 {
			if p, err := b.Pick(t.Context(), "b", "c", "d"); err != nil || p.Endpoint == "a" {
				t.Fatalf("picked %q, %v", p.Endpoint, err)
			}
		}
		if s := b.Stats(); s.Ejected != 1 || s.Ready != 3 || s.Ejections != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAFailureRatioEjectsAfterMinCalls(t *testing.T) {
	bubble(t, 4, balance.Options[string]{FailureRatio: 0.4, MinCalls: 10}, func(t *testing.T, b *balance.Balancer[string]) {
		for i := range 9 {
			send(t, b, "a", 1, map[bool]error{true: errDown}[i%2 == 0]) // 5 of 9
		}
		wantState(t, b, "a", balance.Ready)
		send(t, b, "a", 1, errDown)
		wantState(t, b, "a", balance.Ejected)
		for range 400 {
			send(t, b, "b", 2, nil)
			send(t, b, "b", 1, errDown)
		}
		wantState(t, b, "b", balance.Ready)
		for range 100 { // the failures of late are what counts, not all there ever were
			send(t, b, "b", 1, errDown)
			if stateOf(t, b, "b").State == balance.Ejected {
				return
			}
			send(t, b, "b", 1, nil)
		}
		t.Error("half of its last 200 calls have failed")
	})
}

func TestWhatIsSwitchedOffDoesNotEject(t *testing.T) {
	bubble(t, 4, balance.Options[string]{ConsecutiveFailures: balance.Off}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 19, errDown)
		wantState(t, b, "a", balance.Ready)
		send(t, b, "a", 1, errDown)
		wantState(t, b, "a", balance.Ejected)
	})
	bubble(t, 4, balance.Options[string]{FailureRatio: balance.Off, ConsecutiveFailures: 100}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 99, errDown)
		wantState(t, b, "a", balance.Ready)
		send(t, b, "a", 1, errDown)
		wantState(t, b, "a", balance.Ejected)
	})
	bubble(t, 4, balance.Options[string]{FailureRatio: balance.Off, ConsecutiveFailures: balance.Off}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 1000, errDown)
		wantState(t, b, "a", balance.Ready)
	})
}

func TestAnEndpointComesBackWhenItsTimeIsUpAndIsOutForLongerTheNextTime(t *testing.T) {
	o := balance.Options[string]{EjectFor: time.Second, MaxEjectFor: 2500 * time.Millisecond, SlowStart: 10 * time.Second}
	bubble(t, 4, o, func(t *testing.T, b *balance.Balancer[string]) {
		for _, want := range []time.Duration{time.Second, 2 * time.Second, 2500 * time.Millisecond, 2500 * time.Millisecond} {
			send(t, b, "a", 5, errDown)
			if e := stateOf(t, b, "a"); e.State != balance.Ejected || e.Back != want {
				t.Fatalf("%+v, want it out for %v", e, want)
			}
			time.Sleep(want - 1)
			wantState(t, b, "a", balance.Ejected)
			time.Sleep(1)
			wantState(t, b, "a", balance.SlowStart)
		}
		time.Sleep(10 * time.Second) // well for as long forgives all
		wantState(t, b, "a", balance.Ready)
		send(t, b, "a", 5, errDown)
		if e := stateOf(t, b, "a"); e.Back != time.Second {
			t.Errorf("after a long time without failures: out for %v, want 1s", e.Back)
		}
	})
}

func TestASlowStartGrowsFromATenthToAll(t *testing.T) {
	bubble(t, 4, balance.Options[string]{EjectFor: time.Second, SlowStart: 10 * time.Second}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 5, errDown)
		time.Sleep(time.Second)
		for _, at := range []struct {
			after    time.Duration
			from, to int // of 4000 picks: its share is 1000
		}{{0, 50, 200}, {5 * time.Second, 350, 700}, {5 * time.Second, 850, 1150}} {
			time.Sleep(at.after)
			picked := 0
			for range 4000 {
				_ = b.Do(t.Context(), func(_ context.Context, e string) error {
					if e == "a" {
						picked++
					}
					return nil
				})
			}
			if picked < at.from || picked > at.to {
				t.Errorf("%v later: %d picks, want from %d to %d", at.after, picked, at.from, at.to)
			}
		}
		wantState(t, b, "a", balance.Ready)
	})
}

func TestALateResultOfAnEarlierTimeDoesNotCount(t *testing.T) {
	bubble(t, 4, balance.Options[string]{EjectFor: time.Second, SlowStart: balance.Off}, func(t *testing.T, b *balance.Balancer[string]) {
		late := make([]balance.Pick[string], 10)
		for i := range late {
			late[i], _ = b.Pick(t.Context(), "b", "c", "d")
		}
		send(t, b, "a", 5, errDown)
		late[0].Done(nil) // it was sent before: it does not tell that a is well
		wantState(t, b, "a", balance.Ejected)
		time.Sleep(time.Second)
		wantState(t, b, "a", balance.Ready)
		for i := range late {
			late[i].Done(errDown)
		}
		if e := stateOf(t, b, "a"); e.State != balance.Ready || e.InFlight != 0 {
			t.Errorf("%+v", e)
		}
		send(t, b, "a", 4, errDown)
		wantState(t, b, "a", balance.Ready) // nor do they count for the next time
	})
}

func TestNoMoreThanTheShareIsEjected(t *testing.T) {
	for _, tt := range []struct {
		n     int
		share float64
		want  int
	}{{1, 0, 0}, {2, 0, 1}, {3, 0, 1}, {10, 0, 5}, {10, 0.1, 1}, {10, 0.01, 1}, {10, 0.29, 2}, {100, 0.29, 29}, {3, 0.99, 2}, {3, 1, 3}} {
		o := balance.Options[string]{MaxEjected: tt.share, PanicAt: balance.Off, ConsecutiveFailures: 1}
		bubble(t, tt.n, o, func(t *testing.T, b *balance.Balancer[string]) {
			for range 100 * tt.n {
				_ = b.Do(t.Context(), down)
			}
			s := b.Stats()
			if s.Ejected != tt.want || s.Ejected+s.Suspect+s.Ready != tt.n || s.Panic {
				t.Errorf("%d endpoints, share %v: %+v, want %d ejected", tt.n, tt.share, s, tt.want)
			}
		})
	}
}

func TestASuspectIsWellAgainAfterOneSuccess(t *testing.T) {
	bubble(t, 4, balance.Options[string]{MaxEjected: 0.25}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 5, errDown)
		send(t, b, "b", 5, errDown)
		wantState(t, b, "a", balance.Ejected)
		wantState(t, b, "b", balance.Suspect)
		send(t, b, "b", 3, errDown)
		wantState(t, b, "b", balance.Suspect)
		send(t, b, "b", 1, nil)
		wantState(t, b, "b", balance.Ready)
	})
}

func TestASuspectIsEjectedWhenThereIsRoom(t *testing.T) {
	bubble(t, 4, balance.Options[string]{MaxEjected: 0.25, EjectFor: time.Second}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 5, errDown)
		time.Sleep(time.Second / 2)
		send(t, b, "b", 5, errDown)
		wantState(t, b, "b", balance.Suspect)
		time.Sleep(time.Second / 2)
		wantState(t, b, "a", balance.SlowStart)
		wantState(t, b, "b", balance.Ejected)
		time.Sleep(time.Second / 2)
		wantState(t, b, "b", balance.SlowStart)
	})
}

// 0.29 × 100 is a little less than 29 in floating point.
func TestAPanicBeginsAboveItsShareAndNotAtIt(t *testing.T) {
	o := balance.Options[string]{ConsecutiveFailures: 1, PanicAt: 0.29}
	bubble(t, 100, o, func(t *testing.T, b *balance.Balancer[string]) {
		for i, e := range names(100)[:30] {
			send(t, b, e, 1, errDown)
			if s := b.Stats(); s.Panic != (i == 29) || s.Ejected+s.Suspect != i+1 {
				t.Fatalf("%d of 100 are bad: %+v", i+1, s)
			}
		}
	})
}

func TestInAPanicAllArePickedAndASuccessEndsIt(t *testing.T) {
	bubble(t, 4, balance.Options[string]{}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 5, errDown)
		send(t, b, "b", 5, errDown)
		wantState(t, b, "a", balance.Ejected)
		wantState(t, b, "b", balance.Ejected)
		send(t, b, "c", 5, errDown) // 3 of 4 are bad
		if s := b.Stats(); !s.Panic || s.Ejected != 0 || s.Suspect != 3 {
			t.Fatalf("%+v", s)
		}
		send(t, b, "a", 7, errDown)
		send(t, b, "a", 1, nil)
		if s := b.Stats(); s.Panic || s.Ejected != 2 || s.Ready != 2 {
			t.Errorf("after a success: %+v", s)
		}
		wantState(t, b, "a", balance.Ready)
	})
}

func TestAllMayBeEjectedAndTheRefusalSaysWhenTheFirstIsBack(t *testing.T) {
	o := balance.Options[string]{Name: "users", MaxEjected: 1, PanicAt: balance.Off, EjectFor: 3 * time.Second}
	bubble(t, 2, o, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 5, errDown)
		time.Sleep(time.Second)
		send(t, b, "b", 5, errDown)
		err := b.Do(t.Context(), work)
		none, ok := errors.AsType[*balance.NoneError](err)
		if !ok || none.Endpoints != 2 || none.RetryAfter() != 2*time.Second {
			t.Fatalf("%v", err)
		}
		if want := `joist/balance: "users" has no endpoint left: all 2 are ejected`; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
		time.Sleep(time.Second)
		if got := none.RetryAfter(); got != time.Second {
			t.Errorf("a second later: %v", got)
		}
		time.Sleep(2 * time.Second)
		if err := b.Do(t.Context(), work); err != nil || none.RetryAfter() != 0 {
			t.Errorf("%v, %v", err, none.RetryAfter())
		}
	})
}

func TestSetEndpointsKeepsWhatIsKnown(t *testing.T) {
	bubble(t, 3, balance.Options[string]{}, func(t *testing.T, b *balance.Balancer[string]) {
		send(t, b, "a", 5, errDown)
		out, _ := b.Pick(t.Context(), "a", "c")
		gone, _ := b.Pick(t.Context(), "a", "b")
		list := []string{"a", "b", "x"}
		if err := b.SetEndpoints(list); err != nil {
			t.Fatal(err)
		}
		list[0] = "changed by the caller"
		wantState(t, b, "a", balance.Ejected)
		wantState(t, b, "x", balance.SlowStart)
		if e := stateOf(t, b, "b"); e.InFlight != 1 {
			t.Errorf("%+v", e)
		}
		gone.Done(errDown)
		out.Done(nil)
		if s := b.Stats(); s.InFlight != 0 || s.Successes != 1 || s.Failures != 6 {
			t.Errorf("%+v", s)
		}
		if err := b.SetEndpoints(names(2)); err != nil {
			t.Fatal(err)
		}
		wantState(t, b, "a", balance.Ejected)
		if err := b.SetEndpoints(nil); err != nil {
			t.Fatal(err)
		}
		if err := b.Do(t.Context(), work); !errors.Is(err, balance.ErrNone) {
			t.Errorf("%v", err)
		}
		if err := b.SetEndpoints(names(2)); err != nil {
			t.Fatal(err)
		}
		wantState(t, b, "a", balance.Ready) // all are new, and none has to wait for others
	})
}

func TestSetEndpointsRefusesWhatIsThereTwiceAndChangesNothing(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(2)})
	r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(2)})
	for _, set := range []func([]string) error{b.SetEndpoints, r.SetEndpoints} {
		err := set([]string{"x", "y", "x"})
		if err == nil || !strings.Contains(err.Error(), `joist/balance: SetEndpoints.Endpoints is "a list with x twice", but must have each of them once`) {
			t.Errorf("%v", err)
		}
	}
	if s := b.Stats(); s.Ready != 2 || r.Stats().Ready != 2 {
		t.Errorf("%+v, %+v", s, r.Stats())
	}
}

func TestWhenEndpointsLeaveTheShareStillHolds(t *testing.T) {
	bubble(t, 8, balance.Options[string]{PanicAt: balance.Off}, func(t *testing.T, b *balance.Balancer[string]) {
		for _, e := range []string{"a", "b", "c", "d"} {
			send(t, b, e, 5, errDown)
		}
		if err := b.SetEndpoints([]string{"a", "b", "c", "d", "e"}); err != nil {
			t.Fatal(err)
		}
		var ejected []string
		for _, e := range b.Endpoints() {
			if e.State == balance.Ejected {
				ejected = append(ejected, e.Endpoint)
			}
		}
		if !slices.Equal(ejected, []string{"a", "b"}) {
			t.Errorf("ejected: %v, want those that were the first", ejected)
		}
	})
}

func TestABalancerMadeOutsideOfABubbleWorksInside(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(2)})
	synctest.Test(t, func(t *testing.T) { // 26 years before it was made
		send(t, b, "a", 5, errDown)
		wantState(t, b, "a", balance.Ejected)
		time.Sleep(balance.DefaultEjectFor + balance.DefaultSlowStart)
		wantState(t, b, "a", balance.Ready)
	})
}
