package retryhttp_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// spans records spans.
type spans struct {
	noop.TracerProvider

	mu  sync.Mutex
	all []*span
}

type tracer struct {
	noop.Tracer
	to *spans
}

type span struct {
	noop.Span
	name   string
	kind   trace.SpanKind
	parent trace.Span
	id     trace.SpanID
	attrs  []attribute.KeyValue
	status codes.Code
	ended  bool
}

func (s *spans) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{to: s} }

func (t tracer) Start(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(o...)
	t.to.mu.Lock()
	defer t.to.mu.Unlock()
	s := &span{name: name, kind: config.SpanKind(), parent: trace.SpanFromContext(ctx), attrs: config.Attributes()}
	s.id[7] = byte(len(t.to.all) + 1)
	t.to.all = append(t.to.all, s)
	return trace.ContextWithSpan(ctx, s), s
}

func (s *span) IsRecording() bool                     { return true }
func (s *span) End(...trace.SpanEndOption)            { s.ended = true }
func (s *span) SetStatus(c codes.Code, _ string)      { s.status = c }
func (s *span) SetAttributes(a ...attribute.KeyValue) { s.attrs = append(s.attrs, a...) }
func (s *span) SpanContext() trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: s.id, TraceFlags: trace.FlagsSampled})
}

// text writes a span's attributes down, in the order of their keys.
func (s *span) text() string {
	set := attribute.NewSet(s.attrs...)
	return set.Encoded(attribute.DefaultEncoder())
}

func TestEachAttemptHasAClientSpanWithoutTheURL(t *testing.T) {
	recorded := &spans{}
	ctx, caller := recorded.Tracer("test").Start(t.Context(), "caller")
	calls := 0
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{Name: "api", Backoff: fast, TracerProvider: recorded},
		Base: base(func(*http.Request) (*http.Response, error) {
			switch calls++; calls {
			case 1:
				return answer(503, http.NoBody, ""), nil
			case 2:
				return nil, errors.New("reset")
			}
			return answer(200, http.NoBody, ""), nil
		}),
	})
	resp, err := transport.RoundTrip(get(t, ctx))
	read(t, resp, err)
	if len(recorded.all) != 4 {
		t.Fatalf("%d spans, want the caller's and 3", len(recorded.all))
	}
	for i, want := range []struct {
		attrs  string
		status codes.Code
	}{
		{"error.type=503,http.request.method=GET,http.response.status_code=503,joist.name=api", codes.Error},
		{"error.type=*errors.errorString,http.request.method=GET,http.request.resend_count=1,joist.name=api", codes.Error},
		{"http.request.method=GET,http.request.resend_count=2,http.response.status_code=200,joist.name=api", codes.Unset},
	} {
		s := recorded.all[i+1]
		if s.name != "GET" || s.kind != trace.SpanKindClient || s.parent != caller || !s.ended {
			t.Errorf("attempt %d has %+v", i+1, s)
		}
		if got := s.text(); got != want.attrs || s.status != want.status {
			t.Errorf("attempt %d has %s, status %v, want %s, %v", i+1, got, s.status, want.attrs, want.status)
		}
	}
}

func TestAnAttemptsSpanHasTheDefaultNameOfItsMetrics(t *testing.T) {
	recorded := &spans{}
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{TracerProvider: recorded},
		Base:    base(func(*http.Request) (*http.Response, error) { return answer(200, http.NoBody, ""), nil }),
	})
	resp, err := transport.RoundTrip(get(t, t.Context()))
	read(t, resp, err)
	if got := recorded.all[0].text(); !strings.Contains(got, "joist.name=default") || transport.Stats().Name != "default" {
		t.Errorf("the span has %s, and Stats the name %q", got, transport.Stats().Name)
	}
}

func TestAnUnknownMethodIsNoAttributeOfItsOwn(t *testing.T) {
	recorded := &spans{}
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{TracerProvider: recorded},
		Base:    base(func(*http.Request) (*http.Response, error) { return answer(200, http.NoBody, ""), nil }),
	})
	req := get(t, t.Context())
	req.Method = "FROBNICATE"
	resp, err := transport.RoundTrip(req)
	read(t, resp, err)
	if s := recorded.all[0]; s.name != "HTTP" || !strings.Contains(s.text(), "http.request.method=_OTHER") {
		t.Errorf("got %s with %s", s.name, s.text())
	}
}

// propagate has the global propagator tell servers about spans until the test ends. What was there before cannot be put
// back: OpenTelemetry's first propagator goes on to do what the one after it does. One that does nothing takes its place.
func propagate(t *testing.T) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() { otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator()) })
}

func TestTheServerLearnsOfTheAttemptsSpan(t *testing.T) {
	propagate(t)

	var got []string
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{Backoff: fast, TracerProvider: &spans{}},
		Base: base(func(r *http.Request) (*http.Response, error) {
			got = append(got, r.Header.Get("Traceparent"))
			return answer(503, http.NoBody, ""), nil
		}),
	})
	req := get(t, t.Context())
	req.Header = nil
	resp, err := transport.RoundTrip(req)
	read(t, resp, err)
	const head = "00-01000000000000000000000000000000-000000000000000"
	if len(got) != 3 || got[0] != head+"1-01" || got[1] != head+"2-01" || got[2] != head+"3-01" {
		t.Errorf("the attempts sent %q", got)
	}
	if req.Header != nil {
		t.Errorf("the caller's header is now %v", req.Header)
	}
}

// unsampled starts spans that a sampler has decided not to record.
type unsampled struct{ noop.TracerProvider }

type unsampledTracer struct{ noop.Tracer }

func (unsampled) Tracer(string, ...trace.TracerOption) trace.Tracer { return unsampledTracer{} }

func (unsampledTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{2}, SpanID: trace.SpanID{3},
	}))
	return ctx, trace.SpanFromContext(ctx)
}

func TestTheServerLearnsThatATraceIsNotSampled(t *testing.T) {
	propagate(t)

	var got string
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{TracerProvider: unsampled{}},
		Base: base(func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Traceparent")
			return answer(200, http.NoBody, ""), nil
		}),
	})
	resp, err := transport.RoundTrip(get(t, t.Context()))
	read(t, resp, err)
	if want := "00-02000000000000000000000000000000-0300000000000000-00"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}
