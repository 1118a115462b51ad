package balance_test

import (
	"errors"
	"math"
	"strconv"
	"testing"

	"github.com/joist-go/joist/pool/balance"
)

const keys = 100_000

func owners(t testing.TB, r *balance.Rendezvous[string]) []string {
	t.Helper()
	all := make([]string, keys)
	for i := range all {
		owner, ok := r.Owner("user/" + strconv.Itoa(i))
		if !ok {
			t.Fatal("no owner")
		}
		all[i] = owner
	}
	return all
}

func most(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n = max(n, c)
	}
	return n
}

func TestWhenAnEndpointLeavesItsKeysAloneMove(t *testing.T) {
	const n = 100
	r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(n)})
	before := owners(t, r)
	counts := map[string]int{}
	for _, owner := range before {
		counts[owner]++
	}
	worst := 0.0
	for _, gone := range []int{0, 17, 50, 99} {
		left := append(append([]string{}, names(n)[:gone]...), names(n)[gone+1:]...)
		if err := r.SetEndpoints(left); err != nil {
			t.Fatal(err)
		}
		moved := 0
		for i, owner := range owners(t, r) {
			if owner != before[i] {
				moved++
				if before[i] != names(n)[gone] {
					t.Fatalf("a key of %s moved when %s left", before[i], names(n)[gone])
				}
			}
		}
		worst = max(worst, float64(moved)/keys)
	}
	load := float64(most(counts)) / (keys / n)
	t.Logf("%d endpoints: when one leaves, at most %.2f %% of the keys move; the largest share is %.2f × the mean", n, 100*worst, load)
	if worst > 0.012 || len(counts) != n || load > 1.25 {
		t.Errorf("%.2f %% of the keys move, the largest of %d shares is %.2f × the mean", 100*worst, len(counts), load)
	}
	if err := r.SetEndpoints(append(names(n), "another")); err != nil {
		t.Fatal(err)
	}
	for i, owner := range owners(t, r) {
		if owner != before[i] && owner != "another" {
			t.Fatalf("a key moved from %s to %s when another joined", before[i], owner)
		}
	}
}

// Keys as they are asked for in the field: a few of them most of the time, by Zipf's law.
func TestNoEndpointHasMoreThanMaxLoadTimesTheMeanInFlight(t *testing.T) {
	const n, calls = 100, 10_000
	for _, maxLoad := range []float64{0, 1.1, 2, balance.Off} {
		r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(n), MaxLoad: maxLoad})
		counts := map[string]int{}
		picks := make([]balance.Pick[string], calls)
		for i := range picks {
			key := strconv.Itoa(int(math.Exp(float64(i%1000) / 100))) // from 1 to 22 000, most of them small
			var err error
			if picks[i], err = r.Pick(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			counts[picks[i].Endpoint]++
			bound := maxLoad
			if bound == 0 {
				bound = balance.DefaultMaxLoad
			}
			if at := counts[picks[i].Endpoint]; bound != balance.Off && float64(at) > math.Ceil(bound*float64(i+1)/n) {
				t.Fatalf("MaxLoad %v: %d of %d calls are at one of %d endpoints", maxLoad, at, i+1, n)
			}
		}
		t.Logf("MaxLoad %v: the most loaded endpoint has %.2f × the mean", maxLoad, float64(most(counts))*n/calls)
		if maxLoad == 0 && float64(most(counts)) > 1.25*calls/n {
			t.Errorf("the most loaded endpoint has %d calls", most(counts))
		}
		for i := range picks {
			picks[i].Done(nil)
		}
		if s := r.Stats(); s.InFlight != 0 || s.Successes != calls || s.Ready != n {
			t.Errorf("%+v", s)
		}
	}
}

func TestAKeyGoesToItsOwnerAndFromThereAlwaysTheSameWay(t *testing.T) {
	r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(5), MaxLoad: balance.Off})
	reversed := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: []string{"e", "d", "c", "b", "a"}, MaxLoad: balance.Off})
	for i := range 100 {
		key := strconv.Itoa(i)
		var order []string
		for range 5 {
			p, err := r.Pick(t.Context(), key, order...)
			q, _ := reversed.Pick(t.Context(), key, order...)
			if err != nil || p.Endpoint != q.Endpoint {
				t.Fatalf("%q and %q, %v", p.Endpoint, q.Endpoint, err)
			}
			order = append(order, p.Endpoint)
		}
		if owner, _ := r.Owner(key); owner != order[0] {
			t.Fatalf("the owner is %s, the order %v", owner, order)
		}
		left := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: order[1:]})
		if owner, _ := left.Owner(key); owner != order[1] {
			t.Fatalf("without its owner the key goes to %s, want %s", owner, order[1])
		}
		if p, err := r.Pick(t.Context(), key, names(5)...); err != nil || p.Endpoint != order[0] {
			t.Fatalf("with all excluded: %q, %v", p.Endpoint, err)
		}
	}
}

// The hash is a contract between processes of all versions.
func TestKeysStayWhereTheyAre(t *testing.T) {
	r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(10)})
	got := ""
	for i := range 20 {
		owner, _ := r.Owner("user/" + strconv.Itoa(i))
		got += owner
	}
	if want := "ihajfgeibcciabhgbgfc"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAnEndpointIsKnownByItsID(t *testing.T) {
	type server struct{ name, address string }
	fleet := func(address string) *balance.Rendezvous[*server] {
		r, err := balance.NewRendezvous(balance.RendezvousOptions[*server]{
			Endpoints: []*server{{"a", address}, {"b", address}, {"c", address}},
			ID:        func(s *server) string { return s.name },
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r, replaced := fleet("10.0.0.1"), fleet("10.0.0.2")
	for i := range 100 {
		before, _ := r.Owner(strconv.Itoa(i))
		after, _ := replaced.Owner(strconv.Itoa(i))
		if before.name != after.name || before.address == after.address {
			t.Fatal("a key moved with the address of its owner")
		}
	}
	numbers, err := balance.NewRendezvous(balance.RendezvousOptions[uint16]{Endpoints: []uint16{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := numbers.Owner("k"); !ok || owner == 0 {
		t.Errorf("%d, %v", owner, ok)
	}
}

func TestARendezvousWithoutEndpointsRefuses(t *testing.T) {
	r := newRendezvous(t, balance.RendezvousOptions[string]{})
	if owner, ok := r.Owner("k"); ok || owner != "" {
		t.Errorf("%q, %v", owner, ok)
	}
	p, err := r.Pick(t.Context(), "k", "a")
	p.Done(nil)
	if !errors.Is(err, balance.ErrNone) || r.Stats().Refused != 1 {
		t.Errorf("%v, %+v", err, r.Stats())
	}
}
