package bulkhead_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

// server is a dependency with so many workers and one queue, first in, first out, whose calls take a time of exponential
// distribution: M/M/c. Its capacity is workers / mean.
type server struct {
	mu       sync.Mutex
	random   *rand.Rand
	free     []time.Time // when each worker is free
	mean     time.Duration
	waiting  int // most calls in its queue, 0 for no bound
	inServer int
}

func newServer(workers int, mean time.Duration) *server {
	s := &server{random: rand.New(rand.NewPCG(1, 2)), mean: mean}
	s.resize(workers)
	return s
}

// resize changes the number of workers. Calls that have begun or were put behind a worker end as they would have.
func (s *server) resize(workers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.free) < workers {
		s.free = append(s.free, time.Now())
	}
	s.free = s.free[:workers]
}

// slow changes how long a call takes.
func (s *server) slow(mean time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mean = mean
}

// busyError asks for a pause, as an answer of 429 does.
type busyError struct{}

func (busyError) Error() string             { return "too many requests" }
func (busyError) RetryAfter() time.Duration { return time.Second }

func (s *server) call(context.Context) error {
	s.mu.Lock()
	if s.waiting > 0 && s.inServer >= len(s.free)+s.waiting {
		s.mu.Unlock()
		time.Sleep(s.mean / 10)
		return busyError{}
	}
	s.inServer++
	first := 0
	for i, at := range s.free {
		if at.Before(s.free[first]) {
			first = i
		}
	}
	begin := time.Now()
	if at := s.free[first]; at.After(begin) {
		begin = at
	}
	end := begin.Add(time.Duration(s.random.ExpFloat64() * float64(s.mean)))
	s.free[first] = end
	s.mu.Unlock()
	time.Sleep(time.Until(end))
	s.mu.Lock()
	s.inServer--
	s.mu.Unlock()
	return nil
}

// load calls the server through a bulkhead, at random times with a mean rate.
type load struct {
	b      *bulkhead.Bulkhead
	s      *server
	perS   float64
	inTime time.Duration // an answer that takes longer is worth nothing
	random *rand.Rand
	calls  sync.WaitGroup

	mu      sync.Mutex
	useful  int           // answers in time
	answers int           // all
	spent   time.Duration // by all
}

func newLoad(b *bulkhead.Bulkhead, s *server, perS float64, inTime time.Duration) *load {
	return &load{b: b, s: s, perS: perS, inTime: inTime, random: rand.New(rand.NewPCG(3, 4))}
}

// run makes calls for so long.
func (l *load) run(d time.Duration) {
	for at, end := time.Now(), time.Now().Add(d); ; {
		at = at.Add(time.Duration(l.random.ExpFloat64() / l.perS * float64(time.Second)))
		if at.After(end) {
			time.Sleep(time.Until(end))
			return
		}
		time.Sleep(time.Until(at))
		l.calls.Go(l.call)
	}
}

func (l *load) call() {
	began := time.Now()
	err := l.b.Do(context.Background(), l.s.call)
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.answers++
		l.spent += took
		if took <= l.inTime {
			l.useful++
		}
	case errors.Is(err, bulkhead.ErrFull), errors.Is(err, busyError{}):
	default:
		panic(err)
	}
}

// shown is what a stretch of a run has shown.
type shown struct {
	limit   float64       // mean
	lowest  int           //
	highest int           //
	useful  float64       // answers in time per second
	latency time.Duration // mean of the answers
}

// watch runs for so long and looks at the limit each 100 ms.
func (l *load) watch(d time.Duration, each func(limit int)) shown {
	l.mu.Lock()
	l.useful, l.answers, l.spent = 0, 0, 0
	l.mu.Unlock()
	r := shown{lowest: math.MaxInt}
	n := 0
	const step = 100 * time.Millisecond
	for began := time.Now(); time.Since(began) < d; n++ {
		l.run(step)
		limit := l.b.Stats().Limit
		if each != nil {
			each(limit)
		}
		r.limit += float64(limit)
		r.lowest, r.highest = min(r.lowest, limit), max(r.highest, limit)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.limit /= float64(n)
	r.useful = float64(l.useful) / d.Seconds()
	if l.answers > 0 {
		r.latency = l.spent / time.Duration(l.answers)
	}
	return r
}

// bestLimit computes the fixed limit with which a server gives most answers in time, and how many per second: an M/M/c/L
// queue at steady state.
func bestLimit(workers int, mean time.Duration, perS float64, inTime time.Duration) (limit int, useful float64) {
	for l := workers; l <= 4*workers; l++ {
		if u := usefulAt(l, workers, mean, perS, inTime); u > useful {
			limit, useful = l, u
		}
	}
	return limit, useful
}

func usefulAt(limit, workers int, mean time.Duration, perS float64, inTime time.Duration) float64 {
	mu := 1 / mean.Seconds()
	weight, sum := make([]float64, limit+1), 0.0 // of n calls in the server
	for n := range weight {
		if n == 0 {
			weight[n] = 1
		} else {
			weight[n] = weight[n-1] * perS / (mu * float64(min(n, workers)))
		}
		sum += weight[n]
	}
	useful := 0.0
	for n := range limit {
		useful += weight[n] / sum * inTimeAfter(n-workers+1, float64(workers)*mu, mu, inTime.Seconds())
	}
	return useful * perS
}

// inTimeAfter is the probability that a call takes no longer than t which waits for so many ends at the rate r, and is
// then done at the rate mu.
func inTimeAfter(ends int, r, mu, t float64) float64 {
	if ends <= 0 {
		return 1 - math.Exp(-mu*t)
	}
	const steps = 400
	p, dt := 0.0, t/steps
	lg, _ := math.Lgamma(float64(ends))
	for i := range steps {
		w := (float64(i) + 0.5) * dt
		density := math.Exp(float64(ends)*math.Log(r) + float64(ends-1)*math.Log(w) - r*w - lg)
		p += density * (1 - math.Exp(-mu*(t-w))) * dt
	}
	return p
}
