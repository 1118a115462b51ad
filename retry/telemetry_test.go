package retry_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/retry"
)

func TestCallsAndRetriesAndWaitsAreExported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meters{got: make(map[string]float64)}
		p := newPolicy(t, retry.Options{Name: "api", MeterProvider: m, MaxAttempts: 2})
		succeedN(t, p, 5)
		work, _ := failing(1, retry.After(errDown, time.Second))
		if err := p.Do(t.Context(), work); err != nil {
			t.Error(err)
		}
		_ = p.Do(t.Context(), func(context.Context) error { return retry.After(errDown, 2*time.Second) })
		_ = p.Do(t.Context(), func(context.Context) error { return retry.Permanent(errDown) })
		hedged, _ := failing(1, errDown)
		if _, err := retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) { return 0, hedged(ctx) }); err != nil {
			t.Error(err)
		}

		want := map[string]float64{
			"joist.retry.calls{joist.name=api,joist.retry.outcome=first_try}": 5,
			"joist.retry.calls{joist.name=api,joist.retry.outcome=recovered}": 2,
			"joist.retry.calls{joist.name=api,joist.retry.outcome=exhausted}": 1,
			"joist.retry.calls{joist.name=api,joist.retry.outcome=permanent}": 1,
			"joist.retry.calls{joist.name=api,joist.retry.outcome=budget}":    0,
			"joist.retry.calls{joist.name=api,joist.retry.outcome=deadline}":  0,
			"joist.retry.calls{joist.name=api,joist.retry.outcome=cancelled}": 0,
			"joist.retry.attempts{joist.name=api,joist.retry.kind=retry}":     2,
			"joist.retry.attempts{joist.name=api,joist.retry.kind=hedge}":     1,
			"joist.retry.delay.duration{joist.name=api}":                      3,
		}
		got := m.collect(t)
		for name, v := range want {
			if g, ok := got[name]; !ok || g != v {
				t.Errorf("%s is %v, want %v", name, g, v)
			}
		}
		if len(got) != len(want) {
			t.Errorf("there are other series: %v", got)
		}
		if m.scope != retry.ScopeName {
			t.Errorf("the scope is %q", m.scope)
		}
	})
}

func TestEachAttemptAfterTheFirstHasASpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorded := &spans{}
		ctx, caller := recorded.Tracer("test").Start(t.Context(), "caller")
		p := newPolicy(t, retry.Options{Name: "api", TracerProvider: recorded})
		var in []trace.Span
		_ = p.Do(ctx, func(ctx context.Context) error { in = append(in, trace.SpanFromContext(ctx)); return errDown })

		if len(recorded.all) != 3 || !slices.Equal(in, []trace.Span{caller, recorded.all[1], recorded.all[2]}) {
			t.Fatalf("%d spans; attempts ran in %v", len(recorded.all), in)
		}
		for i, s := range recorded.all[1:] {
			if s.name != "retry.attempt" || !s.ended || s.status != codes.Error || s.parent != caller {
				t.Errorf("got %+v", s)
			}
			if got, want := attrText(s.attrs), []string{"{joist.name=api,joist.retry.attempt=2}", "{joist.name=api,joist.retry.attempt=3}"}[i]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if got := recorded.all[0].events; len(got) != 1 || got[0] != "joist.retry.stopped{joist.name=api,joist.retry.attempt=3,joist.retry.reason=exhausted}" {
			t.Errorf("the caller's span has the events %q", got)
		}
	})
}

func TestASuccessAtOnceLeavesNoTrace(t *testing.T) {
	recorded := &spans{}
	ctx, _ := recorded.Tracer("test").Start(t.Context(), "caller")
	succeeds := func(context.Context) error { return nil }
	if err := newPolicy(t, retry.Options{TracerProvider: recorded}).Do(ctx, succeeds); err != nil {
		t.Fatal(err)
	}
	if len(recorded.all) != 1 || len(recorded.all[0].events) != 0 {
		t.Errorf("%d spans, %q", len(recorded.all), recorded.all[0].events)
	}
}

func TestAnAttemptThatIsNotRecordedStaysInTheCallersSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, caller := (&spans{}).Tracer("test").Start(t.Context(), "caller")
		p := newPolicy(t, retry.Options{TracerProvider: noop.NewTracerProvider()})
		_ = p.Do(ctx, func(ctx context.Context) error {
			if got := trace.SpanFromContext(ctx); got != caller {
				t.Errorf("attempt %d runs in %v", retry.Attempt(ctx), got)
			}
			return errDown
		})
	})
}
