package main

import "context"

// ctx is what the work is called under in most cases: a context that cannot be cancelled, on both sides.
var ctx = context.Background()

// work is the call that blocks are put around: it does nothing, and is not inlined, as a real call would not be.
//
//go:noinline
func work(context.Context) error { return nil }

// workValue is work that returns a value.
//
//go:noinline
func workValue(context.Context) (int, error) { return 42, nil }

// user is a value as caches and flights hold it.
type user struct {
	ID    int64
	Name  string
	Email string
}
