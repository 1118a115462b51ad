package pool_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist/pool"
)

func ExampleSubmit() {
	p, err := pool.New(pool.Options{Name: "squares", Workers: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	var futures []*pool.Future[int]
	for n := range 5 {
		f, err := pool.Submit(ctx, p, func(context.Context) (int, error) { return n * n, nil })
		if err != nil {
			fmt.Println(err)
			return
		}
		futures = append(futures, f)
	}
	for _, f := range futures {
		v, err := f.Wait(ctx)
		fmt.Println(v, err)
	}
	fmt.Println(p.Close(ctx))
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 4 <nil>
	// 9 <nil>
	// 16 <nil>
	// <nil>
}

func ExampleFuture() {
	p, err := pool.New(pool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := pool.Submit(context.Background(), p, func(context.Context) (string, error) { return "", errors.New("no such page") })
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = f.Wait(context.Background())
	fmt.Println(err)
	fmt.Println(p.Close(context.Background()))
	// Output:
	// no such page
	// <nil>
}

func ExamplePanicError() {
	p, err := pool.New(pool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := pool.Submit(context.Background(), p, func(context.Context) (int, error) { panic("no such template") })
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = f.Wait(context.Background())
	if broke, ok := errors.AsType[*pool.PanicError](err); ok {
		fmt.Println(broke.Value)
		fmt.Println("with a stack:", len(broke.Stack) > 0)
	}
	fmt.Println(p.Close(context.Background()))
	// Output:
	// no such template
	// with a stack: true
	// <nil>
}
