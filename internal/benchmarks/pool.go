package main

import (
	"context"
	"sync"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/joist-go/joist/pool"
)

var poolCases = []benchCase{
	{name: "go", about: "hands over a task that does nothing, under a context that cannot be cancelled", setup: poolGo},
	{name: "go-cancellable", about: "hands over a task that does nothing, under a context that can be cancelled", setup: poolGoCancellable},
	{name: "submit", about: "hands over a task that returns a value, and waits for it: 128 at a time", setup: poolSubmit},
}

const (
	poolWorkers = 16
	poolQueue   = 1024
	fanOut      = 128

	pondModule = "github.com/alitto/pond/v2"
	antsModule = "github.com/panjf2000/ants/v2"
)

func ourPool(env *environment) (*pool.Pool, error) {
	p, err := pool.New(pool.Options{
		Name: "benchmark", Workers: poolWorkers, Queue: poolQueue, WhenFull: pool.Block,
		MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err == nil {
		env.cleanup(func() { _ = p.Close(ctx) })
	}
	return p, err
}

func poolGo(env *environment) (lineup, error) { return goLineup(ctx, env, channelPool) }

func poolGoCancellable(env *environment) (lineup, error) {
	cancellable, cancel := context.WithCancel(ctx)
	env.cleanup(cancel)
	return goLineup(cancellable, env, func(env *environment) *contender { return boundPool(cancellable, env) })
}

func goLineup(taskCtx context.Context, env *environment, floor func(*environment) *contender) (lineup, error) {
	ours, err := ourPool(env)
	if err != nil {
		return lineup{}, err
	}
	antsPool, err := ants.NewPool(poolWorkers, ants.WithPreAlloc(true), ants.WithDisablePurge(true))
	if err != nil {
		return lineup{}, err
	}
	env.cleanup(antsPool.Release)
	pondPool := pond.NewPool(poolWorkers, pond.WithQueueSize(poolQueue), pond.WithoutPanicRecovery())
	env.cleanup(pondPool.StopAndWait)

	task := func(context.Context) {}
	bare := func() {}
	return lineup{
		ours: contender{
			name: "joist", settings: "Go; 16 workers, a queue of 1024, Block",
			loop: func(int) func(int) {
				return func(n int) {
					for range n {
						_ = ours.Go(taskCtx, task)
					}
				}
			},
			settle: settleWith(func(last func()) error { return ours.Go(ctx, func(context.Context) { last() }) }),
		},
		peers: []contender{
			{
				name: "ants", module: antsModule, settings: "Submit; 16 workers, preallocated, never purged",
				loop: func(int) func(int) {
					return func(n int) {
						for range n {
							_ = antsPool.Submit(bare)
						}
					}
				},
				settle: settleWith(antsPool.Submit),
			},
			{
				name: "pond", module: pondModule, settings: "Go; 16 workers, a queue of 1024, no recovery of panics",
				loop: func(int) func(int) {
					return func(n int) {
						for range n {
							_ = pondPool.Go(bare)
						}
					}
				},
				settle: settleWith(pondPool.Go),
			},
		},
		floor: floor(env),
	}, nil
}

// settleWith returns a settle that hands over one more task and waits for it: queues are in order, so it is the last.
func settleWith(submit func(func()) error) func() {
	return func() {
		done := make(chan struct{})
		if submit(func() { close(done) }) == nil {
			<-done
		}
	}
}

// channelPool is the floor of a pool: a buffered channel of tasks and goroutines that run them.
func channelPool(env *environment) *contender {
	tasks := make(chan func(context.Context), poolQueue)
	for range poolWorkers {
		go func() {
			for task := range tasks {
				task(ctx)
			}
		}()
	}
	env.cleanup(func() { close(tasks) })
	task := func(context.Context) {}
	return &contender{
		loop: func(int) func(int) {
			return func(n int) {
				for range n {
					tasks <- task
				}
			}
		},
		settle: settleWith(func(last func()) error {
			tasks <- func(context.Context) { last() }
			return nil
		}),
	}
}

// boundPool is the floor of a pool whose tasks have contexts of their own, with the values of their callers' and another
// end: channelPool, a look at the caller's context, and one allocation.
func boundPool(taskCtx context.Context, env *environment) *contender {
	type bound struct {
		task   func(context.Context)
		values context.Context
		end    *environment
	}
	tasks := make(chan *bound, poolQueue)
	for range poolWorkers {
		go func() {
			for b := range tasks {
				b.task(b.values)
			}
		}()
	}
	env.cleanup(func() { close(tasks) })
	give := func(task func(context.Context)) {
		if taskCtx.Err() == nil {
			tasks <- &bound{task, taskCtx, env}
		}
	}
	task := func(context.Context) {}
	return &contender{
		loop: func(int) func(int) {
			return func(n int) {
				for range n {
					give(task)
				}
			}
		},
		settle: settleWith(func(last func()) error {
			give(func(context.Context) { last() })
			return nil
		}),
	}
}

func poolSubmit(env *environment) (lineup, error) {
	ours, err := ourPool(env)
	if err != nil {
		return lineup{}, err
	}
	peer := pond.NewResultPool[int](poolWorkers, pond.WithQueueSize(poolQueue))
	env.cleanup(peer.StopAndWait)
	bare := func() (int, error) { return 42, nil }
	return lineup{
		ours: contender{
			name: "joist", settings: "Submit and Wait; 16 workers, a queue of 1024, Block",
			loop: func(int) func(int) {
				var futures [fanOut]*pool.Future[int]
				return func(n int) {
					for n > 0 {
						batch := futures[:min(n, fanOut)]
						for i := range batch {
							batch[i], _ = pool.Submit(ctx, ours, workValue)
						}
						for _, f := range batch {
							_, _ = f.Wait(ctx)
						}
						n -= len(batch)
					}
				}
			},
		},
		peers: []contender{{
			name: "pond", module: pondModule, settings: "SubmitErr and Wait of a result pool; 16 workers, a queue of 1024",
			loop: func(int) func(int) {
				var futures [fanOut]pond.ResultTask[int]
				return func(n int) {
					for n > 0 {
						batch := futures[:min(n, fanOut)]
						for i := range batch {
							batch[i] = peer.SubmitErr(bare)
						}
						for _, f := range batch {
							_, _ = f.Wait()
						}
						n -= len(batch)
					}
				}
			},
		}},
		floor: channelFutures(env),
	}, nil
}

// channelFutures is the floor of futures: the channel of channelPool, and for each task one object that holds its answer.
func channelFutures(env *environment) *contender {
	type future struct {
		answer  int
		err     error
		waiting sync.WaitGroup
	}
	tasks := make(chan *future, poolQueue)
	for range poolWorkers {
		go func() {
			for f := range tasks {
				f.answer, f.err = workValue(ctx)
				f.waiting.Done()
			}
		}()
	}
	env.cleanup(func() { close(tasks) })
	return &contender{loop: func(int) func(int) {
		var futures [fanOut]*future
		return func(n int) {
			for n > 0 {
				batch := futures[:min(n, fanOut)]
				for i := range batch {
					batch[i] = new(future)
					batch[i].waiting.Add(1)
					tasks <- batch[i]
				}
				for _, f := range batch {
					f.waiting.Wait()
				}
				n -= len(batch)
			}
		}
	}}
}
