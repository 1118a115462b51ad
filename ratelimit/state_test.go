package ratelimit

import (
	"testing"
	"time"
)

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

// An account goes with its key to another table, and away with it.
func TestAccountsMoveWithTheirKeys(t *testing.T) {
	const keys = 40
	k := newTestKeyed(t, Every(100), 100)
	s := &k.shards[0]
	p := testPlan(Every(100), Every(1000).Named("b"))
	for key := range keys {
		var a *account
		full := uint64(1000 + key)
		if key%3 > 0 {
			a = &account{plan: p, words: []uint64{uint64(key), 0}, full: full}
		}
		if !s.claim(k, 0) {
			t.Fatal("no place")
		}
		s.insert(k, crowded(key), key, full, a, 0)
	}
	for gone := range keys {
		table := s.table.Load()
		for key := range keys {
			i, there := table.seek(crowded(key), key)
			if there != (key >= gone) {
				t.Fatalf("key %d is there: %v, after %d were dropped", key, there, gone)
			}
			if !there {
				continue
			}
			switch a := table.account(i); {
			case key%3 == 0 && a != nil:
				t.Fatalf("key %d has the account of %d", key, a.words[0])
			case key%3 > 0 && (a == nil || a.words[0] != uint64(key)):
				t.Fatalf("key %d has not its own account, but %v", key, a)
			}
		}
		if freed := s.rebuild(uint64(1000 + gone)); freed != 1 {
			t.Fatalf("%d were dropped at %d, want 1", freed, 1000+gone)
		}
	}
	for i, a := range s.table.Load().accounts {
		if a != nil {
			t.Errorf("the free place %d holds the account of %d", i, a.words[0])
		}
	}
}

// A goroutine reads the clock, and others come before its take: the limits are set, buckets are dropped. It must not find
// more than there was at its reading.
func TestAnOldReadingFindsNoMoreAfterLimitsWereSet(t *testing.T) {
	const old, now = 1000, 1500 // nanoseconds
	one, two := []Limit{Every(100).WithBurst(5)}, []Limit{Every(100).WithBurst(5), Every(7).WithBurst(100).Named("b")}
	for name, limits := range map[string][2][]Limit{
		"one": {one, one}, "two": {two, two}, "one, then two": {one, two}, "two, then one": {two, one},
		"odd": {one, {{Tokens: 1_000_003, Per: 100_000_000, Burst: 5}}},
	} {
		before, after := testPlan(limits[0]...), testPlan(limits[1]...)
		s := newState(before, nil)
		if v, _ := s.do(take, old, 5, nil); !v.ok {
			t.Fatal("a full bucket denied")
		}
		s = newState(after, after.inherit(before, s.seal(), now)) // it is full now
		if v, _ := s.do(take, old, 1, nil); v.ok {
			t.Errorf("%s: 6 of 5 were taken by readings of %d", name, old)
		}
		if r := after.peek(wordsOf(s), now); r.Remaining != 5 {
			t.Errorf("%s: %d remain of 5 when they were set", name, r.Remaining)
		}
	}
}

func TestAnOldReadingFindsNoMoreAfterLimitsWereSetForAKeyThatWasDropped(t *testing.T) {
	k := newTestKeyed(t, Every(time.Hour).WithBurst(5), 1)
	s, _ := k.shardOf(1)
	s.dropped = uint64(5 * time.Hour) // which is when key 1 was dropped, whose bucket was empty at the start
	if err := k.SetLimits(1, []Limit{Every(time.Hour).WithBurst(5), Every(time.Minute).WithBurst(5).Named("b")}); err != nil {
		t.Fatal(err)
	}
	if k.Allow(1) {
		t.Error("a take with an old reading found a full bucket")
	}
	for ns, want := range map[time.Duration]bool{5*time.Hour - 1: false, 5 * time.Hour: true} {
		if r, err := k.act(1, int64(ns), take, 5); err != nil || r.Allowed != want {
			t.Errorf("5 at %v: %+v, %v, want %v", ns, r, err, want)
		}
	}
}
