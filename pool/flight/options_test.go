package flight_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/flight"
)

func TestNewNamesTheFaultOfEachField(t *testing.T) {
	anyValue := []string{"Detached", "Timeout", "MeterProvider", "TracerProvider", "Logger"}
	invalid := map[string]struct {
		options flight.Options
		want    []string
	}{
		"Name": {flight.Options{Name: "a\nb"}, []string{"joist/flight: Options.Name", `"a\nb"`, "control characters"}},
	}
	fields := reflect.VisibleFields(reflect.TypeFor[flight.Options]())
	if len(fields) != len(anyValue)+len(invalid) {
		t.Errorf("%d fields, %d of them listed", len(fields), len(anyValue)+len(invalid))
	}
	for _, f := range fields {
		tt, ok := invalid[f.Name]
		if !ok {
			continue
		}
		g, err := flight.New[string, int](tt.options)
		if g != nil || err == nil {
			t.Fatalf("%s: New = %v, %v", f.Name, g, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", f.Name, err, want)
			}
		}
	}
}

func TestAnyTimeoutIsValid(t *testing.T) {
	for _, d := range []time.Duration{-1 << 63, flight.NoTimeout, 0, 1, 1<<63 - 1} {
		g, err := flight.New[string, int](flight.Options{Timeout: d})
		if err != nil {
			t.Errorf("Timeout %v: %v", d, err)
			continue
		}
		if v, err := g.Do(t.Context(), "k", answers(1)); d != 1 && (v != 1 || err != nil) {
			t.Errorf("Timeout %v: %d, %v", d, v, err)
		}
		if err := g.Close(t.Context()); err != nil {
			t.Errorf("Timeout %v: %v", d, err)
		}
	}
}
