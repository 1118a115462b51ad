package main

import (
	"testing"
	"time"
)

func TestBusyTimeLeavesOutIdleAndIOWait(t *testing.T) {
	const stat = "cpu  100 20 30 9999 8888 4 5 6 77 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
	got, ok := busyTime(stat)
	if want := (100 + 20 + 30 + 4 + 5 + 6) * 10 * time.Millisecond; !ok || got != want {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
}

func TestAForeignStatIsNotUnderstood(t *testing.T) {
	for _, stat := range []string{"", "cpu 1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n", "cpu 1 2 3 4 5 x 7 8 9\n"} {
		if got, ok := busyTime(stat); ok {
			t.Errorf("%q gave %v", stat, got)
		}
	}
}
