package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/cache"
)

func ExampleCache() {
	users, err := cache.New(cache.Options[int, string]{
		Name: "users",
		TTL:  time.Minute,
		Load: func(_ context.Context, id int) (string, error) {
			fmt.Println("asking the database for", id)
			return fmt.Sprint("user ", id), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer users.Close(ctx)

	for range 2 {
		name, err := users.Get(ctx, 42)
		fmt.Println(name, err)
	}
	// Output:
	// asking the database for 42
	// user 42 <nil>
	// user 42 <nil>
}

func ExampleCache_GetWith() {
	pages, err := cache.New(cache.Options[string, string]{
		TTL:  time.Minute,
		Load: func(_ context.Context, path string) (string, error) { return "page " + path, nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer pages.Close(ctx)

	// This caller has what it takes to render the page at hand.
	template := "<h1>%s</h1>"
	page, err := pages.GetWith(ctx, "/home", func(_ context.Context, path string) (string, error) {
		return fmt.Sprintf(template, path), nil
	})
	fmt.Println(page, err)

	page, err = pages.Get(ctx, "/home")
	fmt.Println(page, err)
	// Output:
	// <h1>/home</h1> <nil>
	// <h1>/home</h1> <nil>
}

func ExampleErrNotFound() {
	rows := map[int]string{1: "one"}
	users, err := cache.New(cache.Options[int, string]{
		TTL:         time.Minute,
		NotFoundTTL: 10 * time.Second,
		Load: func(_ context.Context, id int) (string, error) {
			fmt.Println("asking the database for", id)
			name, ok := rows[id]
			if !ok {
				return "", cache.ErrNotFound
			}
			return name, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer users.Close(ctx)

	for range 2 {
		_, err := users.Get(ctx, 7)
		fmt.Println(errors.Is(err, cache.ErrNotFound))
	}
	// Output:
	// asking the database for 7
	// true
	// true
}

// New names all that is wrong at once.
func ExampleOptions() {
	_, err := cache.New(cache.Options[int, string]{
		TTL:    time.Minute,
		Jitter: 10,
	})
	fmt.Println(err)
	// Output:
	// joist/cache: Options.Load is not set, but it is required
	// joist/cache: Options.Jitter is 10, but must be 0 to 1 (Off is -1)
}

func ExampleSource() {
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

	for range 2 {
		e, err := users.GetEntry(ctx, 42)
		fmt.Println(e.Value, "hit:", e.Source == cache.SourceLocal, "from:", e.Source, err) // Cache-Status: hit, or fwd
	}
	// Output:
	// user 42 hit: false from: load <nil>
	// user 42 hit: true from: local <nil>
}
