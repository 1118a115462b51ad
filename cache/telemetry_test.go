package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/joist-go/joist/cache"
)

func TestEveryGetCountsOnceByResultAndLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var metrics metering
		s := source{}
		o := s.options()
		o.Name, o.MeterProvider = "users", &metrics
		o.StaleWhileRevalidate, o.StaleIfError, o.ErrorBackoff = time.Minute, time.Hour, 16*time.Second
		o.LoadTimeout, o.NotFoundTTL = 5*time.Second, time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0") // miss, load
		wantGet(t, c, "a", "a0") // hit, local
		time.Sleep(time.Minute)
		wantGet(t, c, "a", "a0") // stale, local
		synctest.Wait()
		s.fails.Store(true)
		time.Sleep(2 * time.Minute)
		wantGet(t, c, "a", "a0")             // stale, load
		wantGet(t, c, "a", "a0")             // stale, local: backing off
		wantErr(t, c, "b", errDown)          // error, load
		wantErr(t, c, "b", cache.ErrBackoff) // error, local
		s.gone.Store(true)
		s.fails.Store(false)
		wantErr(t, c, "c", cache.ErrNotFound) // negative, load
		wantErr(t, c, "c", cache.ErrNotFound) // negative, local
		hang, release := hanging(t)
		if _, err := c.GetWith(t.Context(), "d", hang); !errors.Is(err, context.DeadlineExceeded) { // error, load
			t.Fatalf("Get = %v", err)
		}
		synctest.Wait() // the time-out is settled
		release()
		func() {
			defer func() { _ = recover() }()
			_, _ = c.GetWith(t.Context(), "e", func(context.Context, string) (string, error) { panic("e") }) // error, load
		}()
		if err := c.Delete(t.Context(), "a", "b"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		const scope = cache.ScopeName + " joist.cache."
		want := map[string]int64{
			scope + "requests {request} joist.cache.level=local,joist.cache.result=hit,joist.name=users":      1,
			scope + "requests {request} joist.cache.level=local,joist.cache.result=stale,joist.name=users":    2,
			scope + "requests {request} joist.cache.level=local,joist.cache.result=negative,joist.name=users": 1,
			scope + "requests {request} joist.cache.level=local,joist.cache.result=error,joist.name=users":    1,
			scope + "requests {request} joist.cache.level=load,joist.cache.result=miss,joist.name=users":      1,
			scope + "requests {request} joist.cache.level=load,joist.cache.result=stale,joist.name=users":     1,
			scope + "requests {request} joist.cache.level=load,joist.cache.result=negative,joist.name=users":  1,
			scope + "requests {request} joist.cache.level=load,joist.cache.result=error,joist.name=users":     3,
			scope + "load.duration s joist.cache.outcome=ok,joist.name=users":                                 2,
			scope + "load.duration s joist.cache.outcome=error,joist.name=users":                              2,
			scope + "load.duration s joist.cache.outcome=not_found,joist.name=users":                          1,
			scope + "load.duration s joist.cache.outcome=timeout,joist.name=users":                            1,
			scope + "load.duration s joist.cache.outcome=panic,joist.name=users":                              1,
			scope + "entries {entry} joist.name=users":                                                        3,
			scope + "invalidations {entry} joist.name=users":                                                  2,
		}
		got := metrics.collect()
		maps.DeleteFunc(got, func(key string, _ int64) bool { return !strings.HasPrefix(key, scope) })
		if !maps.Equal(got, want) {
			t.Errorf("collected\n%v\nwant\n%v", lines(got), lines(want))
		}
		if s := c.Stats(); s.Hits+s.Stale+s.Misses+s.Negative+s.Errors != 11 {
			t.Errorf("11 Gets, counted as %+v", s)
		}
	})
}

func lines(m map[string]int64) string {
	var b strings.Builder
	for key, value := range m {
		fmt.Fprintln(&b, key, value)
	}
	return b.String()
}

func TestALoadIsASpanBelowItsCallersAndTheOthersLinkToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var spans tracing
		s := source{takes: time.Second}
		o := s.options()
		o.Name, o.TracerProvider = "users", &spans
		c := newCache(t, o)
		test := spans.Tracer("test")
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				ctx, span := test.Start(t.Context(), "request")
				defer span.End()
				if got, err := c.Get(ctx, "secret"); got != "secret0" || err != nil {
					t.Errorf("Get = %q, %v", got, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		loads, requests := spans.named("cache.load"), spans.named("request")
		if len(loads) != 1 || len(requests) != 3 {
			t.Fatalf("%d loads, %d requests", len(loads), len(requests))
		}
		load := loads[0]
		if load.scope != cache.ScopeName || !load.parent.Equal(requests[0].self) || load.ended != 1 {
			t.Errorf("the load's span is %+v", load)
		}
		if load.attr("joist.name") != "users" || load.attr("joist.cache.outcome") != "ok" || load.status != codes.Unset {
			t.Errorf("the load's span is %+v", load)
		}
		if len(requests[0].links) != 0 {
			t.Error("the caller of the load is linked to it too")
		}
		for _, r := range requests[1:] {
			if len(r.links) != 1 || !r.links[0].Equal(load.self) {
				t.Errorf("the links of a request that joined are %v", r.links)
			}
		}
		for _, a := range load.attrs {
			if strings.Contains(a.Value.Emit(), "secret") {
				t.Errorf("the key is in the attribute %v", a)
			}
		}
	})
}

func TestAFailedLoadEndsItsSpanOnceWithTheKindOfItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var spans tracing
		var s source
		o := s.options()
		o.TracerProvider, o.LoadTimeout = &spans, time.Second
		c := newCache(t, o)
		hang, release := hanging(t)
		if _, err := c.GetWith(t.Context(), "a", hang); err == nil {
			t.Fatal("no error")
		}
		synctest.Wait() // the time-out is settled
		release()
		synctest.Wait()
		s.fails.Store(true)
		wantErr(t, c, "a", errDown)
		got := spans.named("cache.load")
		if len(got) != 2 {
			t.Fatalf("%d spans", len(got))
		}
		for i, want := range []struct{ outcome, errorType string }{
			{"timeout", "*flight.TimeoutError > context.deadlineExceededError"},
			{"error", "*errors.errorString"},
		} {
			s := got[i]
			if s.ended != 1 || s.status != codes.Error || s.attr("joist.cache.outcome") != want.outcome ||
				s.attr("error.type") != want.errorType {
				t.Errorf("span %d is %+v", i, s)
			}
		}
	})
}

func TestStaleAnswersAndRefusalsAreEventsOnTheCallersSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var spans tracing
		var s source
		o := s.options()
		o.StaleWhileRevalidate, o.StaleIfError, o.ErrorBackoff = time.Minute, time.Hour, time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.fails.Store(true)
		for _, step := range []struct {
			key   string
			after time.Duration
			want  string
		}{
			{"a", 0, ""},
			{"a", time.Minute, "joist.cache.stale"},      // refreshed behind, in vain
			{"a", time.Minute, "joist.cache.stale"},      // backing off
			{"a", 30 * time.Minute, "joist.cache.stale"}, // loaded, in vain
			{"b", 0, ""},
			{"b", 0, "joist.cache.refused"},
		} {
			time.Sleep(step.after)
			ctx, span := spans.Tracer("test").Start(t.Context(), step.key)
			_, _ = c.Get(ctx, step.key)
			synctest.Wait()
			requests := spans.named(step.key)
			if got := strings.Join(requests[len(requests)-1].events, " "); got != step.want {
				t.Errorf("%+v: events %q", step, got)
			}
			span.End()
		}
	})
}

func TestFailedLoadsAreLoggedOncePerIntervalWithoutKeysOrTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var s source
		o := s.options()
		o.Name, o.StaleIfError = "users", time.Hour
		o.Logger = slog.New(slog.NewTextHandler(&out, nil))
		c := newCache(t, o)
		wantGet(t, c, "secret", "secret0")
		s.fails.Store(true)
		time.Sleep(time.Minute)
		for range 100 {
			wantGet(t, c, "secret", "secret0")
		}
		time.Sleep(10 * time.Second)
		wantGet(t, c, "secret", "secret0")
		text := out.String()
		if n := strings.Count(text, "\n"); n != 2 {
			t.Errorf("%d lines:\n%s", n, text)
		}
		for _, want := range []string{
			"level=WARN", `msg="joist/cache: load failed"`, "joist.name=users", "error.type=*errors.errorString", "suppressed=99",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s is not in\n%s", want, text)
			}
		}
		if strings.Contains(text, "secret") || strings.Contains(text, errDown.Error()) {
			t.Errorf("keys or texts of errors are in\n%s", text)
		}
	})
}
