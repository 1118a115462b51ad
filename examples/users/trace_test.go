package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// recorded runs the service in this process with every span recorded.
func recorded(t *testing.T, upstream http.Handler, args ...string) (*httptest.Server, *tracetest.SpanRecorder) {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	s, err := parse(append([]string{"-upstream", up.URL, "-attempt-timeout", "20s", "-load-timeout", "60s"}, args...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	spans := tracetest.NewSpanRecorder()
	registry := prometheus.NewRegistry()
	exporter, err := promexporter.New(promexporter.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	svc, err := newService(s, &observability{
		meters:   sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)),
		traces:   sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
		registry: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(svc.handler())
	t.Cleanup(func() {
		server.Close()
		if err := svc.close(t.Context()); err != nil {
			t.Log("closing:", err) // the test's context has ended
		}
	})
	return server, spans
}

func TestAColdRequestIsOneTraceAndThoseWhoShareItAreLinked(t *testing.T) {
	const followers = 3
	var calls atomic.Int64
	release := make(chan struct{})
	server, spans := recorded(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			<-release
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, []user{sampleUser(1)})
	}))
	var wg sync.WaitGroup
	get := func() {
		wg.Go(func() {
			if a, err := fetch(clientFrom(""), http.MethodGet, server.URL+"/users", nil); err != nil || a.status != http.StatusOK {
				t.Errorf("got %d %v", a.status, err)
			}
		})
	}
	get()
	eventually(t, patience, "the first call is at the upstream", func() bool { return calls.Load() == 1 })
	for range followers {
		get()
	}
	eventually(t, patience, "the followers wait", func() bool {
		return scraped(t, server.URL, "joist_flight_calls_total", `joist_flight_role="shared"`) == followers
	})
	close(release)
	wg.Wait()
	const request = "GET /users"
	eventually(t, patience, "all spans have ended", func() bool { return len(named(spans, request)) == 1+followers })

	loads := named(spans, "cache.load")
	if len(loads) != 1 {
		t.Fatalf("%d loads in %v", len(loads), names(spans.Ended()))
	}
	load := loads[0]
	if got, want := below(spans, load.SpanContext().TraceID()), []string{
		"GET /users", // the server's span, the trace's root
		"GET /users > cache.load",
		"GET /users > cache.load > GET upstream", // the first attempt
		"GET /users > cache.load > retry.attempt",
		"GET /users > cache.load > retry.attempt > GET upstream",
	}; !slices.Equal(got, want) {
		t.Errorf("the trace of the load has\n%q, want\n%q", got, want)
	}
	linked := 0
	for _, span := range named(spans, request) {
		if slices.ContainsFunc(span.Links(), func(l sdktrace.Link) bool { return l.SpanContext.SpanID() == load.SpanContext().SpanID() }) {
			linked++
		}
	}
	if linked != followers {
		t.Errorf("%d requests are linked to the load that they shared, want %d", linked, followers)
	}
}

func TestRefusalsAndStaleAnswersAreEventsOfTheRequest(t *testing.T) {
	var dead atomic.Bool
	server, spans := recorded(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if dead.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		writeJSON(w, http.StatusOK, sampleUser(1))
	}), "-ttl", "1ms", "-stale-while-revalidate", "0", "-attempts", "1", "-min-calls", "2", "-error-backoff", "1ms", "-burst", "40", "-rate", "1")
	get := func(id int) answer {
		a, err := fetch(clientFrom(""), http.MethodGet, fmt.Sprintf("%s/users/%d", server.URL, id), nil)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	get(1)
	dead.Store(true)
	for id := 2; id < 5; id++ {
		get(id) // the breaker opens
	}
	eventually(t, patience, "an answer is stale", func() bool { return stale(t, get(1)) })
	eventually(t, patience, "the client is limited", func() bool { return get(9).status == http.StatusTooManyRequests })

	got := make(map[string]bool)
	for _, span := range spans.Ended() {
		for _, event := range span.Events() {
			got[span.Name()+": "+event.Name] = true
		}
	}
	for _, want := range []string{
		"GET /users/{id}: joist.cache.stale",
		"GET /users/{id}: joist.ratelimit.limited",
		"cache.load: joist.breaker.refused", // the load is what was refused; it is below the request
	} {
		if !got[want] {
			t.Errorf("no event %s in %v", want, got)
		}
	}
}

// below returns the spans of a trace, each with those above it.
func below(spans *tracetest.SpanRecorder, id trace.TraceID) []string {
	byID := make(map[trace.SpanID]sdktrace.ReadOnlySpan)
	for _, span := range spans.Ended() {
		byID[span.SpanContext().SpanID()] = span
	}
	var all []string
	for _, span := range spans.Ended() {
		if span.SpanContext().TraceID() != id {
			continue
		}
		path := span.Name()
		for up := span; up.Parent().IsValid() && byID[up.Parent().SpanID()] != nil; {
			up = byID[up.Parent().SpanID()]
			path = up.Name() + " > " + path
		}
		all = append(all, path)
	}
	slices.Sort(all)
	return all
}

func named(spans *tracetest.SpanRecorder, name string) []sdktrace.ReadOnlySpan {
	return slices.DeleteFunc(slices.Clone(spans.Ended()), func(s sdktrace.ReadOnlySpan) bool { return s.Name() != name })
}

func names(spans []sdktrace.ReadOnlySpan) []string {
	var all []string
	for _, s := range spans {
		all = append(all, s.Name())
	}
	slices.Sort(all)
	return all
}
