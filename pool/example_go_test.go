package pool_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist/pool"
)

func ExamplePool() {
	p, err := pool.New(pool.Options{Name: "mails", Workers: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, to := range []string{"ada", "grace", "barbara"} {
		if err := p.Go(context.Background(), func(context.Context) { fmt.Println("mail to", to) }); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(p.Close(context.Background()))
	// Unordered output:
	// mail to ada
	// mail to grace
	// mail to barbara
	// <nil>
}

// A pool that rejects keeps its callers free, and tells them when to come again.
func ExampleFullError() {
	p, err := pool.New(pool.Options{Name: "mails", Workers: 1, Queue: pool.NoQueue, WhenFull: pool.Reject})
	if err != nil {
		fmt.Println(err)
		return
	}
	hold := make(chan struct{})
	if err := p.Go(context.Background(), func(context.Context) { <-hold }); err != nil {
		fmt.Println(err)
	}
	err = p.Go(context.Background(), func(context.Context) {})
	fmt.Println(err)
	fmt.Println(errors.Is(err, pool.ErrFull))
	close(hold)
	fmt.Println(p.Close(context.Background()))
	// Output:
	// joist/pool: "mails" is full: 1 workers, queue of 0
	// true
	// <nil>
}

func ExampleOptions() {
	_, err := pool.New(pool.Options{Workers: -1})
	fmt.Println(err)
	// Output: joist/pool: Options.Workers is -1, but must be from 1 to 1048576, or 0 for the number of processors
}

func ExampleOptions_onPanic() {
	told := make(chan any)
	p, err := pool.New(pool.Options{OnPanic: func(value any, stack []byte) { told <- value }})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = p.Go(context.Background(), func(context.Context) { panic("no such template") })
	fmt.Println("panic:", <-told)
	fmt.Println(p.Close(context.Background()))
	// Output:
	// panic: no such template
	// <nil>
}

func ExampleWhenFull() {
	fmt.Println(pool.Block, pool.Reject)
	// Output: block reject
}

func ExampleStats() {
	p, err := pool.New(pool.Options{Workers: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 10 {
		_ = p.Go(context.Background(), func(context.Context) {})
	}
	_ = p.Close(context.Background())
	s := p.Stats()
	fmt.Println(s.OK, "done,", s.Queued, "queued,", s.Workers, "workers")
	// Output: 10 done, 0 queued, 0 workers
}
