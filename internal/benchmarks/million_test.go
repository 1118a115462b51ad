package main

import (
	"strings"
	"sync/atomic"
	"testing"
)

func TestEveryContenderOfTheMillionRunsAllTasks(t *testing.T) {
	for _, c := range millionContenders {
		var ran atomic.Int64
		if err := c.run(1000, func() { ran.Add(1) }); err != nil || ran.Load() != 1000 {
			t.Errorf("%s ran %d tasks of 1000: %v", c.name, ran.Load(), err)
		}
	}
}

func TestAChildOfTheMillionThatNobodyKnowsIsAnError(t *testing.T) {
	if err := serveMillion("nobody", &strings.Builder{}); err == nil {
		t.Error("no error")
	}
}
