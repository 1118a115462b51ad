package limittest_test

import (
	"context"
	"math"
	"math/big"
	"sync"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// server is a Taker as one would be whose buckets are kept by a server: by its clock, which counts microseconds.
type server struct {
	clock  func() int64 // in microseconds
	limits []ratelimit.Limit

	mu   sync.Mutex
	keys map[string]*record
}

// record is what the server keeps of a key: how much each bucket lacks, in parts of which token make a token and rate
// come in each microsecond.
type record struct {
	last    int64
	missing []int64
}

func newServer(clock func() int64, limits ...ratelimit.Limit) *server {
	s := &server{clock: clock, keys: make(map[string]*record)}
	for _, l := range limits {
		if l.Name == "" {
			l.Name = ratelimit.DefaultLimitName
		}
		if l.Burst == 0 {
			l.Burst = l.Tokens
		}
		s.limits = append(s.limits, l)
	}
	return s
}

// microseconds is the clock of a process: since was its start.
func microseconds(since time.Time) int64 { return time.Since(since).Microseconds() }

// parts returns how many parts a token has, how many come in each microsecond, and how many fit.
func parts(l ratelimit.Limit) (token, rate, size int64) {
	if l.Tokens == ratelimit.Infinite || l.Burst == ratelimit.NoBurst {
		return 1, 1, 0
	}
	g := new(big.Int).GCD(nil, nil, big.NewInt(l.Tokens), big.NewInt(int64(l.Per))).Int64()
	token, rate = int64(l.Per)/g, l.Tokens/g*1000
	return token, rate, l.Burst * token
}

// most returns the most tokens that a take may be of.
func most(l ratelimit.Limit) int64 {
	if l.Tokens == ratelimit.Infinite {
		return math.MaxInt64
	}
	return l.Burst
}

// of returns the record of key as it is now. The lock is held.
func (s *server) of(key string) *record {
	now := s.clock()
	r := s.keys[key]
	if r == nil {
		r = &record{now, make([]int64, len(s.limits))}
		s.keys[key] = r
	}
	for i, l := range s.limits {
		_, rate, size := parts(l)
		if elapsed := now - r.last; elapsed > (r.missing[i]+size)/rate {
			r.missing[i] = 0
		} else {
			r.missing[i] = max(0, r.missing[i]-elapsed*rate)
		}
	}
	r.last = now
	return r
}

// Take implements [ratelimit.Taker].
func (s *server) Take(ctx context.Context, key string, n int64) (ratelimit.Result, error) {
	switch {
	case ctx.Err() != nil:
		return ratelimit.Result{}, ctx.Err()
	case n < 0:
		return ratelimit.Result{}, ratelimit.ErrNegative
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.of(key)
	if denial := s.judge(r, n); !denial.Allowed {
		return denial, nil
	}
	s.add(r, n)
	return s.stands(r), nil
}

// judge returns the answer of the limit that denies n tokens the longest.
func (s *server) judge(r *record, n int64) ratelimit.Result {
	binding, longest := -1, int64(0)
	for i, l := range s.limits {
		switch token, rate, size := parts(l); {
		case l.Shadow:
		case n > 0 && n > most(l):
			denial := s.describe(r, i)
			denial.Never = true
			return denial
		case size > 0 && n > 0:
			if wait := up(r.missing[i]+n*token-size, rate); wait > longest {
				binding, longest = i, wait
			}
		}
	}
	if binding < 0 {
		return ratelimit.Result{Allowed: true}
	}
	denial := s.describe(r, binding)
	denial.RetryAfter = time.Duration(longest) * time.Microsecond
	return denial
}

// stands returns the answer of the limit with the fewest tokens left, and of such the one that takes the longest to have
// more.
func (s *server) stands(r *record) (fewest ratelimit.Result) {
	longest := int64(0)
	for i := range s.limits {
		at, more := s.describe(r, i), s.more(r, i)
		switch shadow, before := at.Limit.Shadow, fewest.Limit.Shadow; {
		case i > 0 && (shadow && !before || shadow == before && at.Remaining > fewest.Remaining):
		case i == 0 || before && !shadow || at.Remaining < fewest.Remaining || more > longest:
			fewest, longest = at, more
		}
	}
	fewest.Allowed = true
	return fewest
}

// more returns the microseconds until limit i has a token more. A full bucket never has.
func (s *server) more(r *record, i int) int64 {
	token, rate, size := parts(s.limits[i])
	if r.missing[i] == 0 {
		return math.MaxInt64
	}
	have := max(0, size-r.missing[i]) / token
	return up(r.missing[i]-size+(have+1)*token, rate)
}

// add takes n tokens, or gives −n back.
func (s *server) add(r *record, n int64) {
	for i, l := range s.limits {
		token, _, size := parts(l)
		if size > 0 && (!l.Shadow || r.missing[i]+n*token <= size) {
			r.missing[i] = max(0, r.missing[i]+n*token)
		}
	}
}

func (s *server) describe(r *record, i int) ratelimit.Result {
	l := s.limits[i]
	token, rate, size := parts(l)
	if size == 0 {
		return ratelimit.Result{Limit: l, Remaining: most(l)}
	}
	return ratelimit.Result{
		Limit:      l,
		Remaining:  max(0, size-r.missing[i]) / token,
		ResetAfter: time.Duration(up(r.missing[i], rate)) * time.Microsecond,
	}
}

// Refund implements [ratelimit.Refunder].
func (s *server) Refund(_ context.Context, key string, n int64) error {
	if n < 0 {
		return ratelimit.ErrNegative
	}
	return s.change(key, -n)
}

// Charge takes what may not be there.
func (s *server) Charge(_ context.Context, key string, n int64) error {
	if n < 0 {
		return ratelimit.ErrNegative
	}
	return s.change(key, n)
}

func (s *server) change(key string, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.limits {
		if token, _, _ := parts(l); n > 1<<53/token {
			return ratelimit.ErrHorizon
		}
	}
	s.add(s.of(key), n)
	return nil
}

// up returns a/b rounded up, at least 0.
func up(a, b int64) int64 { return max(0, (a+b-1)/b) }
