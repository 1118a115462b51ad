package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/cache"
)

func ExampleCache_Delete() {
	database := map[int]string{1: "ada"}
	users, err := cache.New(cache.Options[int, string]{
		TTL:  time.Minute,
		Load: func(_ context.Context, id int) (string, error) { return database[id], nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer users.Close(ctx)

	name, _ := users.Get(ctx, 1)
	fmt.Println(name)

	// First the source, then the cache: whatever was loading meanwhile is not kept.
	database[1] = "grace"
	if err := users.Delete(ctx, 1); err != nil {
		fmt.Println(err)
	}
	name, _ = users.Get(ctx, 1)
	fmt.Println(name)
	// Output:
	// ada
	// grace
}

func ExampleCache_Set() {
	users, err := cache.New(cache.Options[int, string]{
		TTL:  time.Minute,
		Load: func(context.Context, int) (string, error) { return "loaded", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer users.Close(ctx)

	if err := users.Set(ctx, 1, "set"); err != nil {
		fmt.Println(err)
	}
	name, _ := users.Get(ctx, 1)
	fmt.Println(name)
	// Output: set
}

func ExampleStats() {
	users, err := cache.New(cache.Options[int, string]{
		TTL:  time.Minute,
		Load: func(_ context.Context, id int) (string, error) { return fmt.Sprint("user ", id), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer users.Close(ctx)

	for range 3 {
		_, _ = users.Get(ctx, 1)
	}
	s := users.Stats()
	fmt.Println(s.Hits, "hits,", s.Misses, "miss,", s.Loads, "load,", s.Entries, "entry")
	// Output: 2 hits, 1 miss, 1 load, 1 entry
}

func ExampleCache_Close() {
	users, err := cache.New(cache.Options[int, string]{
		TTL:  time.Minute,
		Load: func(context.Context, int) (string, error) { return "loaded", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(users.Close(ctx))

	_, err = users.Get(ctx, 1)
	fmt.Println(errors.Is(err, cache.ErrClosed), err)
	// Output:
	// <nil>
	// true joist/cache: "default" is closed
}

func ExampleClosedError() {
	users, err := cache.New(cache.Options[int, string]{
		Name: "users",
		TTL:  time.Minute,
		Load: func(context.Context, int) (string, error) { return "loaded", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	_ = users.Set(ctx, 1, "ada")
	_ = users.Close(ctx)

	name, err := users.Get(ctx, 1) // what is held still answers
	fmt.Println(name, err)
	_, err = users.Get(ctx, 2)
	if closed, ok := errors.AsType[*cache.ClosedError](err); ok {
		fmt.Println(closed.Name, "refused:", closed.Refused())
	}
	// Output:
	// ada <nil>
	// users refused: true
}
