package retry_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/retry"
)

// A preset is told of each call and success: two locks and a reading of the clock more than the default budget.
func BenchmarkSuccessWithAPreset(b *testing.B) {
	budget, err := retry.AWSBudget()
	if err != nil {
		b.Fatal(err)
	}
	p := newPolicy(b, retry.Options{Budget: budget})
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Do(b.Context(), func(context.Context) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHedgeThatIsAnsweredInTime(b *testing.B) {
	p := newPolicy(b, retry.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := retry.Hedge(b.Context(), p, func(context.Context) (int, error) { return 1, nil }); err != nil {
			b.Fatal(err)
		}
	}
}
