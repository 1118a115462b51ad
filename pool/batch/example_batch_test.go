package batch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/pool/batch"
)

var names = map[int]string{1: "Ada", 2: "Grace", 3: "Barbara"}

// usersByID stands for one query for many rows.
func usersByID(_ context.Context, ids []int) (map[int]string, error) {
	fmt.Fprintln(os.Stdout, "query for", ids)
	found := make(map[int]string)
	for _, id := range ids {
		if name, ok := names[id]; ok {
			found[id] = name
		}
	}
	return found, nil
}

func ExampleBatcher_Get() {
	users := joist.Must(batch.New(batch.Options[int, string]{Name: "users", Run: usersByID}))

	fmt.Println(users.Get(context.Background(), 2))
	_, err := users.Get(context.Background(), 99)
	fmt.Println(err, errors.Is(err, batch.ErrMissing))
	// Output:
	// query for [2]
	// Grace <nil>
	// query for [99]
	// joist/batch: "users" has no answer for the key true
}

func ExampleBatcher_GetMany() {
	users := joist.Must(batch.New(batch.Options[int, string]{Name: "users", Run: usersByID}))

	found, err := users.GetMany(context.Background(), []int{1, 3, 99})
	fmt.Println(found[1], found[3], len(found))
	if failed, ok := errors.AsType[batch.Errors[int]](err); ok {
		fmt.Println(failed[99])
	}
	// Output:
	// query for [1 3 99]
	// Ada Barbara 2
	// joist/batch: "users" has no answer for the key
}

// Writes go in batches too: the key is the row, and what becomes of each row is an error of its own.
func ExampleErrors() {
	type row struct{ id, amount int }
	insert := joist.Must(batch.New(batch.Options[row, struct{}]{
		Name: "ledger",
		Run: func(_ context.Context, rows []row) (map[row]struct{}, error) {
			written, failed := make(map[row]struct{}), make(batch.Errors[row])
			for _, r := range rows {
				if r.amount < 0 {
					failed[r] = errors.New("amount is negative")
					continue
				}
				written[r] = struct{}{}
			}
			return written, failed
		},
	}))

	_, err := insert.Get(context.Background(), row{1, 100})
	fmt.Println(err)
	_, err = insert.Get(context.Background(), row{2, -100})
	fmt.Println(err)
	// Output:
	// <nil>
	// amount is negative
}

// Linger has a batch wait for callers that come one by one: up to MaxWait, or until it has MaxSize keys.
func ExampleOptions_linger() {
	users := joist.Must(batch.New(batch.Options[int, string]{
		Name: "users",
		Run: func(ctx context.Context, ids []int) (map[int]string, error) {
			slices.Sort(ids)
			return usersByID(ctx, ids)
		},
		Linger:  true,
		MaxWait: time.Minute,
		MaxSize: 2,
	}))

	other := make(chan string)
	go func() { // comes before or after: the first waits for the second
		name, _ := users.Get(context.Background(), 1)
		other <- name
	}()
	fmt.Println(users.Get(context.Background(), 3))
	fmt.Println(<-other)
	// Output:
	// query for [1 3]
	// Barbara <nil>
	// Ada
}

func ExampleBatcher_Close() {
	users := joist.Must(batch.New(batch.Options[int, string]{Name: "users", Run: usersByID}))

	fmt.Println(users.Close(context.Background()))
	_, err := users.Get(context.Background(), 1)
	fmt.Println(err)
	// Output:
	// <nil>
	// joist/batch: "users" is closed
}
