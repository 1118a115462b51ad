package balance_test

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/pool/balance"
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

func TestARefusalAndAnEjectionAreEventsOfACallersSpanThatRecordsAndNameNoEndpoint(t *testing.T) {
	for _, s := range []*span{{recording: true}, {}} {
		ctx := trace.ContextWithSpan(t.Context(), s)
		b := newBalancer(t, balance.Options[string]{Name: "users", Endpoints: names(1), MaxEjected: 1, PanicAt: balance.Off})
		_ = b.Do(ctx, work)
		for range 7 {
			_ = b.Do(ctx, down)
		}
		r := newRendezvous(t, balance.RendezvousOptions[string]{Name: "shards"})
		_ = r.Do(ctx, "ada", work)
		var want []string
		if s.recording {
			want = []string{
				"joist.balance.ejected joist.name=users",
				"joist.balance.none joist.name=users", "joist.balance.none joist.name=users",
				"joist.balance.none joist.name=shards",
			}
		}
		if !slices.Equal(s.events, want) {
			t.Errorf("recording: %v, events %q", s.recording, s.events)
		}
	}
}

func TestASuspectIsNoEventOfAnEjection(t *testing.T) {
	s := &span{recording: true}
	ctx := trace.ContextWithSpan(context.Background(), s)
	b := newBalancer(t, balance.Options[string]{Endpoints: names(1)})
	for range 20 {
		_ = b.Do(ctx, down)
	}
	if got := b.Stats(); got.Suspect != 1 || len(s.events) != 0 {
		t.Errorf("%+v, events %q", got, s.events)
	}
}

func TestTheScopeIsThePackage(t *testing.T) {
	if balance.ScopeName != "github.com/joist-go/joist/pool/balance" || balance.Version == "" {
		t.Errorf("%q, %q", balance.ScopeName, balance.Version)
	}
}
