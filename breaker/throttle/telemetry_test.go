package throttle_test

import (
	"testing"

	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/breaker/throttle"
)

// span records the names of its events, and the values of their attributes.
type span struct {
	tracenoop.Span
	recording bool
	events    []string
}

func (s *span) IsRecording() bool { return s.recording }

func (s *span) AddEvent(name string, o ...trace.EventOption) {
	config := trace.NewEventConfig(o...)
	for _, a := range config.Attributes() {
		name += " " + string(a.Key) + "=" + a.Value.AsString()
	}
	s.events = append(s.events, name)
}

func TestARefusalIsAnEventOfACallersSpanThatRecords(t *testing.T) {
	th := after(throttle.Options{Name: "users"}, 0, 10)
	for _, s := range []*span{{recording: true}, {}} {
		ctx := trace.ContextWithSpan(t.Context(), s)
		throttle.Draw(th, refuseAll)
		_ = th.Do(ctx, accept)
		throttle.Draw(th, refuseNone)
		_ = th.Do(ctx, accept)
		want := 0
		if s.recording {
			want = 1
		}
		if len(s.events) != want || want == 1 && s.events[0] != "joist.throttle.throttled joist.name=users" {
			t.Errorf("recording: %v, events %q", s.recording, s.events)
		}
	}
}

func TestTheScopeIsThePackage(t *testing.T) {
	if throttle.ScopeName != "github.com/joist-go/joist/breaker/throttle" || throttle.Version == "" {
		t.Errorf("%q, %q", throttle.ScopeName, throttle.Version)
	}
}
