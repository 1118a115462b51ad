package ratelimit

import "testing"

func testPlan(limits ...Limit) *plan { return newPlan(limits, newCells(new(int), nil, "test")) }

// A state that was replaced answers nobody: whoever meets it asks the one that came in its place.
func TestASealedStateGivesNothing(t *testing.T) {
	for name, p := range map[string]*plan{
		"one limit":  testPlan(PerSecond(10)),
		"two limits": testPlan(PerSecond(10), PerMinute(10).Named("b")),
	} {
		s := newState(p, nil)
		if ok, live := s.allow(1, 3); !ok || !live {
			t.Fatalf("%s: a living state: %v, %v", name, ok, live)
		}
		last := s.seal()
		if full, want := last[0], p.buckets[0].cost*3+1; full != want {
			t.Errorf("%s: its last word is %d, want %d", name, full, want)
		}
		_, allow := s.allow(2, 1)
		_, take := s.take(2, 1)
		_, charged := s.do(charge, 2, 1, nil)
		_, looked := s.read(new([MaxLimits]uint64))
		if allow || take || charged || looked {
			t.Errorf("%s: Allow %v, Take %v, Charge %v, a look %v found it alive", name, allow, take, charged, looked)
		}
	}
}

// An account goes with its key wherever a table moves that, and away with it.
func TestAccountsMoveWithTheirKeys(t *testing.T) {
	const keys = 40
	k := newTestKeyed(t, Every(100), 100)
	s := &k.shards[0]
	p := testPlan(Every(100), Every(1000).Named("b"))
	for key := range keys {
		var a *account
		if key%3 > 0 {
			a = &account{p, []uint64{uint64(key), 0}}
		}
		if !s.claim(k, 0) {
			t.Fatal("no place")
		}
		s.insert(k, place[int]{crowded(key), uint64(1000 + key), key}, a, 0)
	}
	for gone := range keys {
		for key := range keys {
			i, there := s.find(crowded(key), key)
			if there != (key >= gone) {
				t.Fatalf("key %d is there: %v, after %d were removed", key, there, gone)
			}
			if !there {
				continue
			}
			switch a := s.account(i); {
			case key%3 == 0 && a != nil:
				t.Fatalf("key %d has the account of %d", key, a.words[0])
			case key%3 > 0 && (a == nil || a.words[0] != uint64(key)):
				t.Fatalf("key %d has not its own account, but %v", key, a)
			}
		}
		i, _ := s.find(crowded(gone), gone)
		s.remove(i)
	}
	for i, a := range s.accounts {
		if a != nil {
			t.Errorf("the free place %d holds the account of %d", i, a.words[0])
		}
	}
}
