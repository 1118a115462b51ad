package joist_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/joist-go/joist"
)

func TestMustReturnsTheValueOfASuccess(t *testing.T) {
	if got := joist.Must(42, nil); got != 42 {
		t.Fatalf("Must(42, nil) = %d", got)
	}
}

func TestMustPanicsWithTheErrorItself(t *testing.T) {
	want := errors.New("no such block")
	defer func() {
		if got := recover(); got != any(want) {
			t.Fatalf("the panic's value is %v, want the error %v", got, want)
		}
	}()
	joist.Must(0, want)
	t.Fatal("Must returned")
}

func ExampleMust() {
	n := joist.Must(strconv.Atoi("42"))
	fmt.Println(n)
	// Output: 42
}
