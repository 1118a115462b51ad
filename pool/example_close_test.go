package pool_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/pool"
)

// A shutdown that has no time left gets back what has not been run, to put it where it survives.
func ExampleCloseError() {
	p, err := pool.New(pool.Options{Name: "mails", Workers: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	running := make(chan struct{})
	_ = p.Go(context.Background(), func(ctx context.Context) {
		close(running)
		<-ctx.Done() // cancelled by Close
	})
	<-running
	for _, to := range []string{"ada", "grace"} {
		_ = p.Go(context.Background(), func(context.Context) { fmt.Println("mail to", to) })
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err = p.Close(ctx)
	if unfinished, ok := errors.AsType[*pool.CloseError](err); ok {
		fmt.Println(err)
		for _, task := range unfinished.NotRun {
			task(context.Background())
		}
	}
	fmt.Println(p.Close(context.Background())) // waits for the task that was running
	// Output:
	// joist/pool: "mails" is closed, but Close's context ended first: 2 tasks not run, 1 cancelled: context deadline exceeded
	// mail to ada
	// mail to grace
	// <nil>
}

func ExampleClosedError() {
	p, err := pool.New(pool.Options{Name: "mails"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = p.Close(context.Background())
	err = p.Go(context.Background(), func(context.Context) {})
	fmt.Println(err, errors.Is(err, pool.ErrClosed))
	// Output: joist/pool: "mails" is closed true
}
