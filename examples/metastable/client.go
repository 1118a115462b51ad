package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/retry"
)

// policy is what is compared: how clients retry, and what servers do with old work.
type policy struct {
	name        string
	budget      func() *retry.Budget // of one client
	breakers    *breaker.Options     // of one client; nil is none
	breakerOf   func(server int) int // which breaker guards a server
	dropExpired bool                 // servers skip requests whose deadline has passed
}

// client is one process that calls the servers: it has its own retry policy, budget and breakers.
type client struct {
	servers   []*server
	retries   *retry.Policy
	breakers  *breaker.Keyed[int] // nil is none
	breakerOf func(server int) int
}

func newClient(p policy, servers []*server) *client {
	c := &client{servers: servers, breakerOf: p.breakerOf}
	c.retries = joist.Must(retry.New(retry.Options{
		Name:           "metastable",
		MaxAttempts:    4,
		Backoff:        retry.Exponential(100*time.Millisecond, time.Second), // with full jitter
		AttemptTimeout: time.Second,
		Budget:         p.budget(),
	}))
	if p.breakers != nil {
		c.breakers = joist.Must(breaker.NewKeyed(breaker.KeyedOptions[int]{Options: *p.breakers}))
	}
	return c
}

// call is what the client's own caller waits for.
func (c *client) call(ctx context.Context, random *rand.Rand) error {
	return c.retries.Do(ctx, func(ctx context.Context) error { return c.attempt(ctx, random) })
}

// attempt asks a server at random. When its breaker refuses, that costs nothing, and the next server is asked.
func (c *client) attempt(ctx context.Context, random *rand.Rand) error {
	if c.breakers == nil {
		return c.servers[random.IntN(len(c.servers))].handle(ctx)
	}
	var err error
	for _, i := range random.Perm(len(c.servers)) {
		err = c.breakers.For(c.breakerOf(i)).Do(ctx, c.servers[i].handle)
		if !errors.Is(err, breaker.ErrOpen) {
			break
		}
	}
	return err
}
