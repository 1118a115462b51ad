package retry_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/retry"
)

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	_, err := retry.New(retry.Options{
		Name:           "a\nb",
		MaxAttempts:    -2,
		Backoff:        retry.Exponential(time.Second, time.Millisecond),
		AttemptTimeout: -time.Second,
		MaxElapsed:     -time.Second,
		MaxHint:        -2,
		Budget:         new(retry.Budget),
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`joist/retry: Options.Name is "a\nb", but must be`,
		"Options.MaxAttempts is -2, but must not be negative",
		"Options.Backoff is Exponential(1s, 1ms), but must have",
		"Options.AttemptTimeout is -1s, but must not be negative",
		"Options.MaxElapsed is -1s, but must not be negative",
		"Options.MaxHint is -2ns, but must not be negative",
		"Options.Budget is {}, but must come from NewBudget",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestNewBudgetReportsAllFaultsAtOnce(t *testing.T) {
	_, err := retry.NewBudget(retry.BudgetOptions{Name: "\x00", Ratio: 1.5, Burst: -2, Window: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`BudgetOptions.Name is "\x00", but`,
		"BudgetOptions.Ratio is 1.5, but must be from 0.0001 to 1",
		"BudgetOptions.Burst is -2, but must not be negative",
		"BudgetOptions.Window is -1ns, but must not be negative",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	for _, ratio := range []float64{math.NaN(), math.Inf(1), -0.1, 0.00001} {
		if _, err := retry.NewBudget(retry.BudgetOptions{Ratio: ratio}); err == nil {
			t.Errorf("a ratio of %v is accepted", ratio)
		}
	}
}

func TestZeroOptionsAreTheDefaults(t *testing.T) {
	p := newPolicy(t, retry.Options{Backoff: instant})
	work, calls := failing(100, errDown)
	_ = p.Do(t.Context(), work)
	if *calls != retry.DefaultMaxAttempts {
		t.Errorf("called %d times", *calls)
	}
	if name := p.Stats().Name; name != "default" {
		t.Errorf("the name is %q", name)
	}
	s := newBudget(t, retry.BudgetOptions{}).Stats()
	if s.Name != "default" || s.Available != retry.DefaultBurst {
		t.Errorf("the budget is %+v", s)
	}
}

func TestABackoffOfNoDelayIsNotTakenForTheDefault(t *testing.T) {
	if _, err := retry.New(retry.Options{Backoff: retry.Exponential(0, 0)}); err == nil ||
		!strings.Contains(err.Error(), "Options.Backoff is Exponential(0s, 0s), but must have") {
		t.Errorf("got %v", err)
	}
}

func TestABackoffWithAJitterThatItCannotHaveIsReported(t *testing.T) {
	for want, b := range map[string]retry.Backoff{
		"Options.Backoff is Decorrelated(1ns, 2ns).WithJitter(Equal), but must have": retry.Decorrelated(1, 2).WithJitter(retry.Equal),
		"Options.Backoff is Constant(1ns).WithJitter(Jitter(3)), but must have":      retry.Constant(1).WithJitter(3),
	} {
		if _, err := retry.New(retry.Options{Backoff: b}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
