package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	meanService = 10 * time.Millisecond // of one request, exponentially distributed: 100 requests per second and server
	queueLength = 1000
)

var errFull = errors.New("server: queue is full")

// server has one worker and a first-in, first-out queue. It does not notice that a client has given up: such work is
// done all the same, unless dropExpired is set. A dead server answers nothing.
type server struct {
	queue       chan *job
	dropExpired bool
	dead        bool
	slow        func() float64 // by how much service takes longer now
	random      *rand.Rand     // the worker's
	received    *perSecond     // attempts
}

type job struct {
	deadline time.Time // the client's; it travels with the request
	done     chan struct{}
}

// handle is one request, as the client sees it.
func (s *server) handle(ctx context.Context) error {
	s.received.add()
	if s.dead {
		<-ctx.Done()
		return ctx.Err()
	}
	deadline, _ := ctx.Deadline() // every attempt has one
	j := &job{deadline: deadline, done: make(chan struct{})}
	select {
	case s.queue <- j:
	default:
		return errFull
	}
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work serves one request after the other until the queue is closed.
func (s *server) work() {
	for j := range s.queue {
		if s.dropExpired && time.Now().After(j.deadline) {
			continue
		}
		time.Sleep(time.Duration(s.random.ExpFloat64() * s.slow() * float64(meanService)))
		close(j.done)
	}
}
