package flight_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/joist-go/joist/pool/flight"
)

// Three callers want the same user at the same moment: one load answers all.
func ExampleGroup() {
	users, err := flight.New[int, string](flight.Options{Name: "users"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer users.Close(context.Background())

	began, answer := make(chan struct{}), make(chan struct{})
	fetch := func(context.Context) (string, error) {
		close(began) // a second load would panic here
		<-answer
		return "Ada", nil
	}

	var callers sync.WaitGroup
	callers.Go(func() { users.Do(context.Background(), 42, fetch) })
	<-began
	for range 2 {
		callers.Go(func() {
			name, shared, err := users.DoShared(context.Background(), 42, fetch)
			fmt.Println(name, shared, err)
		})
	}
	for users.Stats().Shared < 2 {
		runtime.Gosched() // until both wait
	}
	close(answer)
	callers.Wait()
	// Output:
	// Ada true <nil>
	// Ada true <nil>
}

// The zero Options will do. A load ends with its last waiter then.
func ExampleNew() {
	g, err := flight.New[string, int](flight.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.Do(context.Background(), "answer", func(context.Context) (int, error) { return 42, nil }))
	// Output: 42 <nil>
}

// Do is the call for most. The error of the load comes as it is.
func ExampleGroup_Do() {
	g, _ := flight.New[string, int](flight.Options{})
	_, err := g.Do(context.Background(), "k", func(context.Context) (int, error) {
		return 0, fmt.Errorf("no answer today")
	})
	fmt.Println(err)
	// Output: no answer today
}

// A refresh in the background: the second is not begun while the first is in flight, and a call that needs the value
// joins it.
func ExampleGroup_Go() {
	g, _ := flight.New[string, int](flight.Options{Detached: true})
	answer := make(chan struct{})
	refresh := func(context.Context) (int, error) { <-answer; return 7, nil }
	fmt.Println(g.Go(context.Background(), "k", refresh))
	fmt.Println(g.Go(context.Background(), "k", refresh))
	go close(answer)
	if err := g.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// true
	// false
}

// What is loaded has just been changed: the load in flight may have read the old value. It answers those who wait, who
// asked before the change, and nobody else.
func ExampleGroup_Forget() {
	g, _ := flight.New[string, string](flight.Options{Detached: true})
	answer := make(chan struct{})
	g.Go(context.Background(), "k", func(context.Context) (string, error) { <-answer; return "old", nil })
	g.Forget("k")
	fmt.Println(g.Do(context.Background(), "k", func(context.Context) (string, error) { return "new", nil }))
	close(answer)
	g.Close(context.Background())
	// Output: new <nil>
}
