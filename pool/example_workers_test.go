package pool_test

import (
	"context"
	"fmt"
	"time"

	"github.com/joist-go/joist/pool"
)

func ExamplePool_Resize() {
	p, err := pool.New(pool.Options{Workers: 2, IdleTimeout: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Resize(8), p.Stats().Limit)
	fmt.Println(p.Resize(0))
	fmt.Println(p.Close(context.Background()))
	// Output:
	// <nil> 8
	// joist/pool: Resize to 0 workers, but must be from 1 to 1048576
	// <nil>
}

// One tenant's backlog does not delay the others.
func ExampleWithTenant() {
	p, err := pool.New(pool.Options{Workers: 1, Fair: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	busy, hold := make(chan struct{}), make(chan struct{})
	_ = p.Go(ctx, func(context.Context) { close(busy); <-hold })
	<-busy
	for _, tenant := range []string{"acme", "acme", "acme", "globex"} {
		_ = p.Go(pool.WithTenant(ctx, tenant), func(context.Context) { fmt.Println(tenant) })
	}
	close(hold)
	fmt.Println(p.Close(ctx))
	// Output:
	// acme
	// globex
	// acme
	// acme
	// <nil>
}
