package ratelimit_test

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/ratelimit"
)

func TestTakesAreExported(t *testing.T) {
	m := &meters{}
	l, err := ratelimit.New(ratelimit.Options{
		Name: "out", MeterProvider: m,
		Limits: []ratelimit.Limit{ratelimit.PerHour(3).Named("hourly")},
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[int]{
		MeterProvider: m,
		Limits:        []ratelimit.Limit{ratelimit.PerHour(1)},
		MaxKeys:       10,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		l.Allow()
	}
	for key := range 100 { // 10 buckets and the overflow bucket
		k.Allow(key)
	}
	want := map[string]int64{
		"joist.ratelimit.requests{request}{joist.name=out,joist.ratelimit.limit=hourly,joist.ratelimit.result=allowed}":            3,
		"joist.ratelimit.requests{request}{joist.name=out,joist.ratelimit.limit=hourly,joist.ratelimit.result=denied}":             2,
		"joist.ratelimit.requests{request}{joist.name=out,joist.ratelimit.limit=hourly,joist.ratelimit.result=shadow_denied}":      0,
		"joist.ratelimit.requests{request}{joist.name=default,joist.ratelimit.limit=default,joist.ratelimit.result=allowed}":       11,
		"joist.ratelimit.requests{request}{joist.name=default,joist.ratelimit.limit=default,joist.ratelimit.result=denied}":        89,
		"joist.ratelimit.requests{request}{joist.name=default,joist.ratelimit.limit=default,joist.ratelimit.result=shadow_denied}": 0,
	}
	if got := m.collect(t); !maps.Equal(got, want) {
		t.Errorf("exported %v, want %v", got, want)
	}
	if m.scope != ratelimit.ScopeName {
		t.Errorf("the scope is %q", m.scope)
	}
	runtime.KeepAlive(l)
	runtime.KeepAlive(k)
}

func TestARefusedDoIsAnEventOnTheCallersSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := newLimiter(t, ratelimit.Every(2*time.Second).Named("slow")), newKeyed(t, ratelimit.None(), 0)
		caller, deaf := &span{}, &span{deaf: true}
		for _, s := range []*span{caller, deaf, caller} {
			ctx := trace.ContextWithSpan(t.Context(), s)
			_ = l.Do(ctx, nothing)
			_ = k.For("secret").Do(ctx, nothing)
		}
		want := []string{
			"joist.ratelimit.limited{joist.name=test,joist.ratelimit.limit=default,joist.ratelimit.retry_after_ms=0}",
			"joist.ratelimit.limited{joist.name=test,joist.ratelimit.limit=slow,joist.ratelimit.retry_after_ms=2000}",
			"joist.ratelimit.limited{joist.name=test,joist.ratelimit.limit=default,joist.ratelimit.retry_after_ms=0}",
		}
		if !slices.Equal(caller.events, want) || deaf.events != nil {
			t.Errorf("events\n%s\nand %v", strings.Join(caller.events, "\n"), deaf.events)
		}
	})
}
