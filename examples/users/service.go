package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/retry"
)

// service is the endpoint and the blocks that protect it.
type service struct {
	settings
	*observability
	api *upstream

	clients  *ratelimit.Keyed[string]  // how much one client may ask
	users    *cache.Cache[int64, page] // answers, by user id; allUsers is the whole list
	retry    *retry.Policy             // another try, as long as it cannot hurt
	bulkhead *bulkhead.Bulkhead        // how many calls at once
	breaker  *breaker.Breaker          // no calls while they fail
	logs     *ratelimit.Keyed[string]  // lines about one cause
	draining atomic.Bool

	staleControl string // the end of each Cache-Control
}

// allUsers is the key of GET /users.
const allUsers = 0

// logEvery is the least time between two log lines about one cause.
const logEvery = 10 * time.Second

func newService(s settings, obs *observability) (*service, error) {
	svc := &service{settings: s, observability: obs, staleControl: staleControl(s)}
	var errs [7]error
	svc.api, errs[0] = newUpstream(s, obs)
	svc.clients, errs[1] = ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Name:          "clients",
		Limits:        []ratelimit.Limit{ratelimit.PerSecond(s.rate).WithBurst(s.burst).Named("client")},
		MeterProvider: obs.meters,
	})
	svc.users, errs[2] = cache.New(cache.Options[int64, page]{
		Name:                 "users",
		Load:                 svc.load,
		TTL:                  s.ttl,
		StaleWhileRevalidate: s.staleRefresh,
		StaleIfError:         s.staleIfError,
		NotFoundTTL:          s.notFoundTTL,
		ErrorBackoff:         s.errorBackoff,
		LoadTimeout:          s.loadTimeout,
		MaxEntries:           s.maxEntries,
		MeterProvider:        obs.meters,
		TracerProvider:       obs.traces,
	})
	svc.retry, errs[3] = newRetry(s, obs)
	svc.bulkhead, errs[4] = bulkhead.New(bulkhead.Options{
		Name:          "users-api",
		Limit:         bulkhead.Fixed(s.concurrency),
		MeterProvider: obs.meters,
	})
	svc.breaker, errs[5] = breaker.New(breaker.Options{
		Name:          "users-api",
		Window:        breaker.Last(10 * time.Second),
		MinCalls:      s.minCalls,
		FailureRatio:  s.failureRatio,
		OpenFor:       s.openFor,
		MaxOpenFor:    s.openFor,
		IsFailure:     isFailure,
		MeterProvider: obs.meters,
	})
	svc.logs, errs[6] = ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Name:          "logs",
		Limits:        []ratelimit.Limit{ratelimit.Every(logEvery)},
		MaxKeys:       1000,
		MeterProvider: obs.meters,
	})
	return svc, errors.Join(errs[:]...)
}

func newRetry(s settings, obs *observability) (*retry.Policy, error) {
	budget, err := retry.NewBudget(retry.BudgetOptions{Ratio: s.retryRatio})
	if err != nil {
		return nil, err
	}
	return retry.New(retry.Options{
		Name:           "users-api",
		MaxAttempts:    s.attempts,
		Backoff:        retry.Exponential(50*time.Millisecond, time.Second),
		AttemptTimeout: s.attemptTimeout,
		Budget:         budget,
		Retryable:      isTransient,
		MeterProvider:  obs.meters,
		TracerProvider: obs.traces,
	})
}

// load fetches one answer for the cache. This is the order in which the blocks nest: the rate limit and the cache stand
// before it, then the retry with a time-out for each attempt, the bulkhead, the breaker, and the call itself.
func (svc *service) load(ctx context.Context, id int64) (page, error) {
	return retry.DoValue(ctx, svc.retry, func(ctx context.Context) (page, error) {
		return bulkhead.DoValue(ctx, svc.bulkhead, func(ctx context.Context) (page, error) {
			return breaker.DoValue(ctx, svc.breaker, func(ctx context.Context) (page, error) {
				return svc.api.fetch(ctx, id)
			})
		})
	})
}

// close waits for loads in the background.
func (svc *service) close(ctx context.Context) error { return svc.users.Close(ctx) }
