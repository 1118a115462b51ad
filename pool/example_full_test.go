package pool_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist/pool"
)

// A caller that runs the task itself slows down to what the pool can do.
func ExampleCallerRuns() {
	p, err := pool.New(pool.Options{Workers: 1, Queue: pool.NoQueue, WhenFull: pool.CallerRuns})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	busy, hold := make(chan struct{}), make(chan struct{})
	_ = p.Go(ctx, func(context.Context) { close(busy); <-hold })
	<-busy
	_ = p.Go(ctx, func(context.Context) { fmt.Println("tasks of callers:", p.Stats().Callers) })
	close(hold)
	fmt.Println(p.Close(ctx))
	// Output:
	// tasks of callers: 1
	// <nil>
}

func ExamplePool_TryGo() {
	p, err := pool.New(pool.Options{Name: "thumbs", Workers: 1, Queue: pool.NoQueue})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	busy, hold := make(chan struct{}), make(chan struct{})
	_ = p.Go(ctx, func(context.Context) { close(busy); <-hold })
	<-busy
	err = p.TryGo(ctx, func(context.Context) { fmt.Println("never printed") })
	fmt.Println(err, errors.Is(err, pool.ErrFull))
	close(hold)
	fmt.Println(p.Close(ctx))
	// Output:
	// joist/pool: "thumbs" is full: 1 workers, queue of 0 true
	// <nil>
}
