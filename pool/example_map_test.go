package pool_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/joist-go/joist/pool"
)

func ExampleMap() {
	p, err := pool.New(pool.Options{Workers: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	out, err := pool.Map(ctx, p, []string{"a", "b", "c"}, func(_ context.Context, s string) (string, error) {
		return strings.ToUpper(s), nil
	})
	fmt.Println(out, err)
	_, err = pool.Map(ctx, p, []int{1, 2, 3}, func(ctx context.Context, n int) (int, error) {
		if n == 2 {
			return 0, fmt.Errorf("no page %d", n)
		}
		<-ctx.Done() // ends with the first error
		return 0, ctx.Err()
	})
	fmt.Println(err)
	fmt.Println(p.Close(ctx))
	// Output:
	// [A B C] <nil>
	// no page 2
	// <nil>
}

// A task may use its own pool, of one worker too, with its own context.
func ExampleMap_nested() {
	p, err := pool.New(pool.Options{Workers: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	out, err := pool.Map(ctx, p, [][]int{{1, 2}, {3, 4}}, func(ctx context.Context, row []int) ([]int, error) {
		return pool.Map(ctx, p, row, func(_ context.Context, n int) (int, error) { return n * n, nil })
	})
	fmt.Println(out, err)
	fmt.Println(p.Close(ctx))
	// Output:
	// [[1 4] [9 16]] <nil>
	// <nil>
}

func ExampleForEach() {
	p, err := pool.New(pool.Options{Workers: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = pool.ForEach(ctx, p, []string{"a.png", "b.gif"}, func(_ context.Context, name string) error {
		if !strings.HasSuffix(name, ".png") {
			return fmt.Errorf("%s: no such format", name)
		}
		return nil
	})
	fmt.Println(err)
	fmt.Println(p.Close(ctx))
	// Output:
	// b.gif: no such format
	// <nil>
}

// The numbers have no end: as many are taken as there are workers to square them, and the loop says when to stop.
func ExampleMapSeq() {
	p, err := pool.New(pool.Options{Workers: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	var numbers iter.Seq[int] = func(yield func(int) bool) {
		for n := 0; yield(n); n++ {
		}
	}
	var squares []int
	for square, err := range pool.MapSeq(ctx, p, numbers, func(_ context.Context, n int) (int, error) { return n * n, nil }) {
		if err != nil || square > 50 {
			break
		}
		squares = append(squares, square)
	}
	fmt.Println(slices.Max(squares), len(squares))
	fmt.Println(p.Close(ctx))
	// Output:
	// 49 8
	// <nil>
}
