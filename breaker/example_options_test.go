package breaker_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/breaker"
)

// A missing row says nothing bad about the database.
func ExampleOptions() {
	b, err := breaker.New(breaker.Options{
		Name:         "db",
		Window:       breaker.Last(30 * time.Second),
		MinCalls:     50,
		FailureRatio: 0.25,
		OpenFor:      2 * time.Second,
		MaxOpenFor:   time.Minute,
		Probes:       3,
		IsFailure:    func(err error) bool { return !errors.Is(err, sql.ErrNoRows) },
	})
	if err != nil {
		panic(err)
	}
	err = b.Do(context.Background(), func(context.Context) error { return sql.ErrNoRows })
	fmt.Println(err, b.Stats().Failures)
	// Output: sql: no rows in result set 0
}

func ExampleWindow() {
	fmt.Println(breaker.Last(30 * time.Second))
	_, err := breaker.New(breaker.Options{Window: breaker.Last(time.Millisecond)})
	fmt.Println(err)
	// Output:
	// Last(30s)
	// joist/breaker: Options.Window is Last(1ms), but must last from 10ms to 24h, or be of 1 to 10000 calls
}

// State is fit for a readiness report: it is up to date without a call.
func ExampleState() {
	b, err := breaker.New(breaker.Options{MinCalls: 1, OpenFor: time.Nanosecond, MaxOpenFor: time.Nanosecond})
	if err != nil {
		panic(err)
	}
	fmt.Println(b.State())
	_ = b.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	fmt.Println(b.State()) // a nanosecond is over
	// Output:
	// closed
	// half_open
}
