package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func newTestKeyed(t interface{ Fatal(...any) }, l Limit, maxKeys int) *Keyed[int] {
	k, err := NewKeyed(KeyedOptions[int]{Limits: []Limit{l}, MaxKeys: maxKeys})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// crowded is a hash under which many keys meet in few places, at the end of the table too.
func crowded(key int) uint64 { return uint64(key%5+12)<<1 | 1 }

// spread is a hash under which keys meet seldom.
func spread(key int) uint64 { return uint64(key)*0x9E3779B97F4A7C15 | 1 }

// at is a reading of the clock for a limit that is counted in nanoseconds.
func at(ns uint64) instant { return instant{at: ns} }

// audit checks what holds of a shard whenever its lock is free.
func audit(t failer, k *Keyed[int], s *shard[int]) {
	t.Helper()
	table, taken, used, least := s.table.Load(), 0, 0, uint64(1<<63)
	for i := range table.places {
		p := &table.places[i]
		if p.hash.Load() == 0 {
			if p.key != 0 || p.word.Load() != 0 {
				t.Fatalf("the free place %d holds %d until %d", i, p.key, p.word.Load())
			}
			continue
		}
		used++
		full := table.full(i)
		if full != sealed {
			taken++
			least = min(least, full)
		}
		if j, there := table.probe(p.hash.Load(), p.key); j != i || !there {
			t.Fatalf("key %d at place %d is found at %d (%v) without the lock", p.key, i, j, there)
		}
		if j, there := table.seek(p.hash.Load(), p.key); j != i || there != (full != sealed) {
			t.Fatalf("key %d at place %d is found at %d (%v)", p.key, i, j, there)
		}
	}
	if taken != s.taken || int64(taken) != k.keys.Load() || k.keys.Load() > k.maxKeys {
		t.Fatalf("%d places are taken, the shard counts %d, all shards %d, at most %d", taken, s.taken, k.keys.Load(), k.maxKeys)
	}
	if used != table.used || 4*used > 3*len(table.places) {
		t.Fatalf("%d of %d places are used, the table counts %d", used, len(table.places), table.used)
	}
	if taken > 0 && s.notUntil > least {
		t.Fatalf("no search before %d, but a bucket is full at %d", s.notUntil, least)
	}
}

// A shard that drops buckets answers as one that never does, as long as it finds a place.
func TestDroppingBucketsDoesNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limit{Tokens: 1, Per: 100, Burst: 3}
		maxKeys, keys, hash := rapid.IntRange(1, 48).Draw(t, "maxKeys"), 80, crowded
		if rapid.Bool().Draw(t, "large") {
			maxKeys, keys, hash = maxKeys+52, 300, spread
		}
		k := newTestKeyed(t, l, maxKeys)
		s := &k.shards[0]
		never := make(map[int]uint64) // the words of a shard that never drops
		latest := uint64(0)
		for range rapid.IntRange(1, 10*keys).Draw(t, "takes") {
			latest += uint64(rapid.IntRange(0, 60*80/keys).Draw(t, "step"))
			now := latest - min(latest, uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 50, 400}).Draw(t, "late")))
			key := rapid.IntRange(0, keys).Draw(t, "key")
			n := rapid.Int64Range(1, 4).Draw(t, "n")

			judged := now // without a bucket, a late reading counts as the moment of the last drop
			if _, there := s.table.Load().seek(hash(key), key); !there {
				judged = max(now, s.dropped)
			}
			full, ok, found := s.take(k, hash(key), key, at(now), n)
			audit(t, k, s)
			if !found {
				if s.taken < maxKeys {
					t.Fatalf("no place for key %d, though %d of %d are taken", key, s.taken, maxKeys)
				}
				table := s.table.Load()
				for i := range table.places {
					full, all := table.full(i), len(table.places) <= sweepPlaces // one search sees all
					if all && full <= now {
						t.Fatalf("no place for key %d at %d, though the bucket of %d is full at %d", key, now, table.places[i].key, full)
					}
				}
				continue
			}
			want, fits := k.bucket.next(never[key], at(judged), uint64(n)*k.bucket.cost)
			fits = fits && n <= l.Burst
			switch {
			case ok != fits:
				t.Fatalf("%d of key %d at %d: allowed is %v; without dropping it is %v", n, key, now, ok, fits)
			case ok && full != want:
				t.Fatalf("the word of key %d is %d, want %d", key, full, want)
			case ok:
				never[key] = full
			}
		}
	})
}

func TestALateReadingDoesNotFindADroppedBucketFull(t *testing.T) {
	k := newTestKeyed(t, Limit{Tokens: 1, Per: 100, Burst: 5}, 1)
	s := &k.shards[0]
	s.take(k, crowded(1), 1, at(1000), 5) // empty until 1100, full at 1500
	if _, ok, found := s.take(k, crowded(2), 2, at(1500), 1); !ok || !found {
		t.Fatal("key 2 did not take the place of key 1, which is full")
	}
	// Key 2 is full again at 1600 and makes place for a take of key 1 that read the clock at 1000 and waited for the lock.
	if _, ok, found := s.take(k, crowded(3), 3, at(1600), 1); !ok || !found {
		t.Fatal("key 3 did not take the place of key 2, which is full")
	}
	k.maxKeys = 2
	full, ok, found := s.take(k, crowded(1), 1, at(1000), 5)
	if !ok || !found || full != 1600+500 {
		t.Fatalf("the word is %d (%v, %v), want 2100: a new bucket of key 1 begins when one was last dropped", full, ok, found)
	}
	if _, ok, _ := s.take(k, crowded(1), 1, at(1000), 1); ok {
		t.Fatal("10 were taken at a reading of 1000")
	}
}

func TestALateReadingDoesNotFindTheBucketsFullOfAKeyThatIsGivenLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTestKeyed(t, Limit{Tokens: 1, Per: 100, Burst: 5}, 10)
		time.Sleep(1000)
		if err := k.SetLimits(1, []Limit{{Tokens: 1, Per: 100, Burst: 5, Name: "other"}}); err != nil {
			t.Fatal(err)
		}
		if r, err := k.act(1, 1000-400, take, 2); err != nil || r.Allowed { // the one that was there then, if it was dropped since
			t.Errorf("%+v, %v", r, err)
		}
		if r, err := k.act(1, 1000, take, 5); err != nil || !r.Allowed {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestASearchThatCannotSucceedIsNotMade(t *testing.T) {
	const keys = 5000
	k := newTestKeyed(t, Limit{Tokens: 1, Per: time.Hour, Burst: 2}, keys)
	k.shards = k.shards[:1]
	s := &k.shards[0]
	for key := range keys {
		s.take(k, spread(key), key, at(uint64(key)), 1)
	}
	rounds := len(s.table.Load().places)/sweepPlaces + 1
	for key := range rounds {
		if _, _, found := s.take(k, spread(keys+key), keys+key, at(keys), 1); found {
			t.Fatal("there was a place among buckets in debt")
		}
	}
	hand, seen := s.hand, s.seen
	for key := range 1000 {
		s.take(k, spread(-key), -key-1, at(keys), 1)
	}
	if s.hand != hand || s.seen != seen {
		t.Error("the hand moved, though a whole round has shown when the first bucket is full")
	}
	if want := uint64(time.Hour); s.notUntil != want {
		t.Errorf("no search until %d, want %d", s.notUntil, want)
	}
	// At the hour the bucket of key 0 is full, then that of key 1: a round finds it, and the next round knows when to
	// search again.
	next := 2 * keys
	for step := range uint64(3) {
		now := at(uint64(time.Hour) + step)
		found := false
		for range 2 * rounds {
			next++
			_, _, this := s.take(k, spread(next), next, now, 1)
			found = found || this
		}
		if !found {
			t.Fatalf("the place of key %d was not found", step)
		}
		if s.notUntil != now.at+1 {
			t.Errorf("no search until %d, want %d", s.notUntil, now.at+1)
		}
	}
}

func TestATableShrinksWhenItsBucketsAreFull(t *testing.T) {
	const many = 10_000
	k := newTestKeyed(t, Limit{Tokens: 1, Per: time.Second, Burst: 2}, 2*many)
	k.shards = k.shards[:1]
	s := &k.shards[0]
	for key := range many {
		s.take(k, spread(key), key, at(0), 1)
	}
	audit(t, k, s)
	grown := len(s.table.Load().places)
	for key := range many {
		s.take(k, spread(key), key, at(0), 1)
	}
	k.maxKeys = many // at the bound, the hand goes to the end and finds that the buckets are not full yet
	for range grown/sweepPlaces - 1 {
		s.take(k, spread(many), many, at(uint64(time.Second)), 1)
	}
	if s.hand != grown-sweepPlaces {
		t.Fatalf("the hand is at %d of %d", s.hand, grown)
	}
	k.maxKeys = 2 * many
	for key := range 4 * grown { // each is full before the next comes
		s.take(k, spread(key), key, at(uint64(time.Second)*uint64(key+2)), 1)
	}
	audit(t, k, s)
	if grown < many || len(s.table.Load().places) > grown/16 {
		t.Errorf("the table has %d places, and had %d for %d keys in debt", len(s.table.Load().places), grown, many)
	}
	k.maxKeys = k.keys.Load() // at the bound again, the hand is within the smaller table
	if _, ok, found := s.take(k, spread(-1), -1, at(1<<62), 1); !ok || !found {
		t.Error("there was no place among full buckets")
	}
	audit(t, k, s)
}

func TestABucketThatWasTakenFromMeanwhileIsNotDropped(t *testing.T) {
	k := newTestKeyed(t, Limit{Tokens: 1, Per: 100, Burst: 5}, 10)
	s := &k.shards[0]
	s.take(k, crowded(1), 1, at(0), 1)
	table := s.table.Load()
	i, _ := table.seek(crowded(1), 1)
	seen := table.full(i)
	s.take(k, crowded(1), 1, at(seen), 1)
	if table.forget(i, seen) {
		t.Error("a bucket was dropped that is not full any more")
	}
	if full, ok, _ := s.take(k, crowded(1), 1, at(seen), 1); !ok || full != seen+200 {
		t.Errorf("the word is %d, want %d", full, seen+200)
	}
}

// Tokens that are given back to a bucket that the hand has passed count in its round.
func TestABucketThatIsFullEarlierThanTheHandSawIsFound(t *testing.T) {
	const keys = 70 // in a table that takes two searches
	k := newTestKeyed(t, Limit{Tokens: 1, Per: 100, Burst: 5}, keys)
	s := &k.shards[0]
	take := func(key int, now uint64, n int64) (found bool) {
		_, hash := k.shardOf(key)
		_, _, found = s.take(k, hash, key, at(now), n)
		return found
	}
	take(0, 0, 1) // full at 100, as far as the shard knows
	for key := 1; key < keys; key++ {
		take(key, 0, 5) // full at 500
	}
	take(0, 0, 4)
	if take(-1, 100, 1) || s.hand != sweepPlaces || len(s.table.Load().places) != 2*sweepPlaces {
		t.Fatalf("there was a place, or the hand is at %d of %d", s.hand, len(s.table.Load().places))
	}
	passed := 0
	for s.table.Load().places[passed].hash.Load() == 0 {
		passed++
	}
	if _, err := k.act(s.table.Load().places[passed].key, 100, refund, 3); err != nil {
		t.Fatal(err)
	}
	if take(-1, 199, 1) || s.notUntil != 200 {
		t.Errorf("no search until %d, want 200", s.notUntil)
	}
	if !take(-1, 200, 1) {
		t.Error("the place was not found")
	}
}

func TestANewTableBeginsARoundAnew(t *testing.T) {
	k := newTestKeyed(t, Limit{Tokens: 1, Per: 100, Burst: 5}, 80)
	s := &k.shards[0]
	s.take(k, 255<<1|1, -1, at(0), 1) // full at 100, in the last place of a table of up to 256
	key := 0
	fill := func() {
		for k.keys.Load() < k.maxKeys {
			key++
			s.take(k, uint64(key)<<1|1, key, at(0), 5) // full at 500
		}
	}
	search := func() bool {
		_, _, found := s.take(k, spread(1), -2, at(100), 5)
		return found
	}
	fill()
	if search() || s.seen != sweepPlaces || len(s.table.Load().places) != 2*sweepPlaces {
		t.Fatalf("there was a place, or the hand has passed %d of %d", s.seen, len(s.table.Load().places))
	}
	k.maxKeys = 110
	fill()
	if size := len(s.table.Load().places); size != 4*sweepPlaces {
		t.Fatalf("%d places", size)
	}
	for quarter := range 4 {
		if found := search(); found != (quarter == 3) {
			t.Errorf("a place was found in quarter %d of the table: %v", quarter, found)
		}
	}
}

func TestTheMomentOfTheLastDropDoesNotGoBack(t *testing.T) {
	k := newTestKeyed(t, Limit{Tokens: 1, Per: 100, Burst: 5}, 2)
	s := &k.shards[0]
	s.take(k, crowded(1), 1, at(0), 1)    // full at 100
	s.take(k, crowded(2), 2, at(1000), 5) // full at 1500
	s.take(k, crowded(3), 3, at(1000), 1) // in the place of key 1
	s.take(k, crowded(3), 3, at(1000), 1)
	if s.dropped != 1000 || s.taken != 2 {
		t.Fatalf("%d buckets, the last was dropped at %d", s.taken, s.dropped)
	}
	i, _ := s.table.Load().probe(crowded(3), 3)
	s.table.Load().places[i].word.Store(0) // given back
	s.fills(0)
	if freed := s.sweep(200); freed != 1 || s.dropped != 1000 {
		t.Errorf("%d were dropped by a late reading, the last at %d", freed, s.dropped)
	}
}
