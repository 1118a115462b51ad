package batch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/pool/batch"
)

func ExampleMissingError() {
	users := joist.Must(batch.New(batch.Options[int, string]{
		Name: "users",
		Run:  func(context.Context, []int) (map[int]string, error) { return map[int]string{}, nil }, // it knows nobody
	}))

	_, err := users.Get(context.Background(), 7)
	missing, ok := errors.AsType[*batch.MissingError](err)
	fmt.Println(ok, missing.Name)
	// Output: true users
}

// A panic of Run is the error of everybody who waits for the batch. The next batch runs.
func ExamplePanicError() {
	users := joist.Must(batch.New(batch.Options[int, string]{
		Name: "users",
		Run:  func(context.Context, []int) (map[int]string, error) { panic("no rows") },
	}))

	_, err := users.Get(context.Background(), 7)
	panicked, ok := errors.AsType[*batch.PanicError](err)
	first, _, _ := strings.Cut(err.Error(), "\n") // and then the stack
	fmt.Println(first)
	fmt.Println(ok, panicked.Value, len(panicked.Stack) > 0)
	// Output:
	// joist/batch: the batch panicked: no rows
	// true no rows true
}

// MaxPending bounds the calls that wait for batches which have not begun.
func ExampleFullError() {
	users := joist.Must(batch.New(batch.Options[int, string]{Name: "users", MaxPending: 1, Run: usersByID}))

	found, err := users.GetMany(context.Background(), []int{1, 2})
	full, ok := errors.AsType[*batch.FullError](err)
	fmt.Println(found)
	fmt.Println(full)
	fmt.Println(ok, full.Refused(), full.Pending)
	// Output:
	// query for [1]
	// map[1:Ada]
	// joist/batch: "users" is full: 1 calls are waiting
	// true true 1
}

func ExampleClosedError() {
	users := joist.Must(batch.New(batch.Options[int, string]{Name: "users", Run: usersByID}))
	_ = users.Close(context.Background())

	_, err := users.Get(context.Background(), 1)
	closed, ok := errors.AsType[*batch.ClosedError](err)
	fmt.Println(ok, closed.Name, errors.Is(err, batch.ErrClosed))
	// Output: true users true
}

func ExampleStats() {
	users := joist.Must(batch.New(batch.Options[int, string]{Name: "users", Run: usersByID}))
	_, _ = users.GetMany(context.Background(), []int{1, 2, 99})

	s := users.Stats()
	fmt.Println(s.OK, s.Missing, s.Batches, s.Pending)
	// Output:
	// query for [1 2 99]
	// 2 1 1 0
}
