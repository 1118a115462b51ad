package breaker_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
)

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	invalid := breaker.Options{
		Name:         "a\nb",
		Window:       breaker.Last(time.Millisecond),
		MinCalls:     -1,
		FailureRatio: math.NaN(),
		OpenFor:      -time.Second,
		MaxOpenFor:   -time.Second,
		Probes:       1001,
		ProbeTimeout: -1,
		Ramp:         -1,
		Mode:         5,
	}
	_, err := breaker.New(invalid)
	_, keyed := breaker.NewKeyed(breaker.KeyedOptions[int]{Options: invalid, MaxKeys: -1})
	if err == nil || keyed == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{
		`Name is "a\nb"`, "Window is Last(1ms)", "MinCalls is -1", "FailureRatio is NaN", "OpenFor is -1s", "MaxOpenFor is -1s",
		"Probes is 1001", "ProbeTimeout is -1ns", "Ramp is -1ns", "Mode is 5",
	} {
		if !strings.Contains(err.Error(), "joist/breaker: Options."+field) {
			t.Errorf("no fault says Options.%s:\n%v", field, err)
		}
		if !strings.Contains(keyed.Error(), "joist/breaker: KeyedOptions."+field) {
			t.Errorf("no fault says KeyedOptions.%s:\n%v", field, keyed)
		}
	}
	if !strings.Contains(keyed.Error(), "KeyedOptions.MaxKeys is -1") {
		t.Errorf("MaxKeys: %v", keyed)
	}
}

func TestEachOptionHasAnInvalidValueOrTakesAny(t *testing.T) {
	cases := map[string][]breaker.Options{
		"Name":                {{Name: strings.Repeat("x", 129)}, {Name: "\xff"}},
		"Window":              {{Window: breaker.Last(-1)}, {Window: breaker.Last(9 * time.Millisecond)}, {Window: breaker.Last(25 * time.Hour)}, {Window: breaker.Last(0)}, {Window: breaker.LastCalls(0)}, {Window: breaker.LastCalls(10_001)}},
		"MinCalls":            {{MinCalls: -1}, {Window: breaker.LastCalls(10), MinCalls: 11}, {MinCalls: 1_000_001}},
		"FailureRatio":        {{FailureRatio: -0.1}, {FailureRatio: 1.01}, {FailureRatio: math.Inf(1)}},
		"ConsecutiveFailures": {{ConsecutiveFailures: -1}, {ConsecutiveFailures: 1_000_001}},
		"SlowCall":            {{SlowCall: -1}, {SlowCall: time.Millisecond - 1}, {SlowCall: 24*time.Hour + 1}},
		"SlowRatio":           {{SlowCall: time.Second, SlowRatio: -0.1}, {SlowCall: time.Second, SlowRatio: 1.01}, {SlowRatio: 0.5}},
		"OpenFor":             {{OpenFor: -1}},
		"MaxOpenFor":          {{MaxOpenFor: time.Second}, {OpenFor: time.Minute, MaxOpenFor: time.Minute - 1}, {MaxOpenFor: -1}},
		"Probes":              {{Probes: -1}, {Probes: 1001}},
		"ProbeTimeout":        {{ProbeTimeout: -1}},
		"Ramp":                {{Ramp: -1}, {Ramp: 24*time.Hour + 1}},
		"Mode":                {{Mode: breaker.RetriesOnly + 1}, {Mode: 255}},
		"IsFailure":           nil, // any value
		"OnStateChange":       nil,
		"MeterProvider":       nil,
		"TracerProvider":      nil,
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[breaker.Options]()) {
		values, listed := cases[field.Name]
		if !listed {
			t.Errorf("%s has no case", field.Name)
		}
		for _, o := range values {
			_, err := breaker.New(o)
			if err == nil || !strings.Contains(err.Error(), "Options."+field.Name+" is ") {
				t.Errorf("%s: %v", field.Name, err)
			}
		}
	}
}

func TestTheBoundsOfEachOptionAreValid(t *testing.T) {
	for _, o := range []breaker.Options{
		{},
		{Window: breaker.Last(10 * time.Millisecond), MinCalls: 1, FailureRatio: math.SmallestNonzeroFloat64, OpenFor: 1, MaxOpenFor: 1, Probes: 1, ProbeTimeout: 1},
		{
			Window: breaker.Last(24 * time.Hour), MinCalls: 1_000_000, FailureRatio: 1, OpenFor: math.MaxInt64,
			MaxOpenFor: math.MaxInt64, Probes: 1000, ProbeTimeout: math.MaxInt64, Ramp: 24 * time.Hour, Mode: breaker.RetriesOnly,
		},
		{Window: breaker.LastCalls(1), ConsecutiveFailures: 1_000_000, SlowCall: time.Millisecond, SlowRatio: 1},
		{Window: breaker.LastCalls(10_000), MinCalls: 10_000, SlowCall: 24 * time.Hour, SlowRatio: math.SmallestNonzeroFloat64},
		{OpenFor: time.Hour}, // above the default of MaxOpenFor
	} {
		if _, err := breaker.New(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestAnOpeningForEverNeverRunsOut(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: math.MaxInt64, ProbeTimeout: math.MaxInt64}))
	wantErr(t, fail(b), errDown)
	wantErr(t, succeed(b), breaker.ErrOpen)
	wantState(t, b, breaker.Open)
}
