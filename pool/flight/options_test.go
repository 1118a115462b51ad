package flight_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/flight"
)

func TestNewNamesTheFaultOfEachFieldAndAllOfThemAtOnce(t *testing.T) {
	name := []string{"joist/flight: Options.Name", `"a\nb"`, "control characters"}
	timeout := []string{"joist/flight: Options.Timeout", "-2ns", "NoTimeout"}
	tests := []struct {
		options flight.Options
		want    []string
	}{
		{flight.Options{Name: "a\nb"}, name},
		{flight.Options{Timeout: -2}, timeout},
		{flight.Options{Name: "a\nb", Timeout: -2}, append(name, timeout...)},
	}
	for _, tt := range tests {
		g, err := flight.New[string, int](tt.options)
		if g != nil || err == nil {
			t.Fatalf("%+v: New = %v, %v", tt.options, g, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %q does not say %q", tt.options, err, want)
			}
		}
	}
}

func TestATimeoutMayBeAsLongAsADurationGoes(t *testing.T) {
	g, err := flight.New[string, int](flight.Options{Timeout: 1<<63 - 1})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := g.Do(t.Context(), "k", func(ctx context.Context) (int, error) {
		<-time.After(time.Millisecond)
		return 1, context.Cause(ctx)
	}); v != 1 || err != nil {
		t.Errorf("Do = %d, %v", v, err)
	}
}
