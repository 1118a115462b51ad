package retryhttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// What follows is what net/http asks of a RoundTripper.

func TestARequestIsNotChanged(t *testing.T) {
	s := newServer(t, unavailable(2))
	transport := newTransport(t, retryhttp.Options{Options: retry.Options{Backoff: fast}, Base: &http.Transport{}})
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	before, header, body := *req, req.Header.Clone(), req.Body
	resp, err := transport.RoundTrip(req)
	read(t, resp, err)
	if !reflect.DeepEqual(req.Header, header) || req.Body != body || req.Context() != before.Context() || req.URL != before.URL {
		t.Errorf("the request is now %+v", req)
	}
	if resp.Request != req {
		t.Error("the answer names another request")
	}
}

func TestEachBodyIsClosed(t *testing.T) {
	var bodies []*watched
	open := func() *watched {
		bodies = append(bodies, &watched{Reader: strings.NewReader("x")})
		return bodies[len(bodies)-1]
	}
	var answers []*watched
	transport := newTransport(t, retryhttp.Options{Options: retry.Options{Backoff: fast}, Base: base(func(r *http.Request) (*http.Response, error) {
		_ = r.Body.Close()
		answers = append(answers, &watched{Reader: strings.NewReader(strings.Repeat("x", 100<<10))})
		return answer(503, answers[len(answers)-1], ""), nil
	})})
	req := get(t, t.Context())
	req.Method, req.Body = http.MethodPut, open()
	req.GetBody = func() (io.ReadCloser, error) { return open(), nil }
	resp, err := transport.RoundTrip(req)
	read(t, resp, err)
	if len(bodies) != 3 || len(answers) != 3 {
		t.Fatalf("%d bodies, %d answers, want 3 each", len(bodies), len(answers))
	}
	for i := range bodies {
		if bodies[i].closed != 1 || answers[i].closed != 1 {
			t.Errorf("attempt %d: the request's body was closed %d times, the answer's %d times", i+1, bodies[i].closed, answers[i].closed)
		}
	}
}

func TestABodyThatCannotBeHadAgainIsSentOnce(t *testing.T) {
	s := newServer(t, unavailable(100))
	client := newClient(t, retryhttp.Options{})
	req, err := http.NewRequest(http.MethodPut, s.URL, io.NopCloser(strings.NewReader("a stream")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if status, body := read(t, resp, err); status != 503 || body != "not now\n" {
		t.Errorf("got %d %q", status, body)
	}
	if got := s.got(); len(got) != 1 || got[0] != "a stream" {
		t.Errorf("requests had %q, want one", got)
	}
}

func TestAGetBodyThatFailsEndsTheExchange(t *testing.T) {
	s := newServer(t, unavailable(100))
	client := newClient(t, retryhttp.Options{})
	req, err := http.NewRequest(http.MethodPut, s.URL, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the file is gone")
	req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
	_, err = client.Do(req) //nolint:bodyclose // there is none
	stopped, ok := errors.AsType[*retry.Error](err)
	if !ok || !errors.Is(err, gone) || stopped.Reason != retry.ReasonPermanent {
		t.Errorf("got %v", err)
	}
	if n := len(s.got()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestABaseThatPanicsReleasesTheAttempt(t *testing.T) {
	var attempt context.Context
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{AttemptTimeout: 1 << 40},
		Base:    base(func(r *http.Request) (*http.Response, error) { attempt = r.Context(); panic("boom") }),
	})
	defer func() {
		if got := recover(); got != "boom" {
			t.Errorf("recovered %v", got)
		}
		if attempt.Err() == nil {
			t.Error("the attempt's context was not released")
		}
	}()
	_, _ = transport.RoundTrip(get(t, t.Context())) //nolint:bodyclose // there is none
}

func TestABaseThatAnswersNothingIsAnError(t *testing.T) {
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{MaxAttempts: 1},
		Base:    base(func(*http.Request) (*http.Response, error) { return nil, nil }), //nolint:nilnil // it is what is tested
	})
	if resp, err := transport.RoundTrip(get(t, t.Context())); err == nil { //nolint:bodyclose // there is none
		t.Errorf("got %v without an error", resp)
	}
}

func TestAnUpgradedConnectionCanBeWrittenTo(t *testing.T) {
	var written bytes.Buffer
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{AttemptTimeout: 1 << 40},
		Base: base(func(*http.Request) (*http.Response, error) {
			return answer(http.StatusSwitchingProtocols, struct {
				io.ReadCloser
				io.Writer
			}{io.NopCloser(strings.NewReader("pong")), &written}, ""), nil
		}),
	})
	resp, err := transport.RoundTrip(get(t, t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("a %T cannot be written to", resp.Body)
	}
	_, _ = io.WriteString(conn, "ping")
	if _, body := read(t, resp, nil); body != "pong" || written.String() != "ping" {
		t.Errorf("read %q, wrote %q", body, written.String())
	}
}

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	_, err := retryhttp.New(retryhttp.Options{
		Options:  retry.Options{MaxAttempts: -2, AttemptTimeout: -1},
		Statuses: []int{200, 503, 600},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"joist/retryhttp: Options.AttemptTimeout is -1ns, but must not be negative",
		"joist/retryhttp: Options.Statuses is 200, but must be from 400 to 599",
		"joist/retryhttp: Options.Statuses is 600, but must be from 400 to 599",
		"joist/retry: Options.MaxAttempts is -2, but must not be negative",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestStatusesChooseWhatIsRetried(t *testing.T) {
	for _, c := range []struct {
		statuses []int
		status   int
		want     int
	}{
		{nil, 429, 3}, {nil, 502, 3}, {nil, 503, 3}, {nil, 504, 3}, {nil, 500, 1}, {nil, 501, 1}, {nil, 404, 1}, {nil, 200, 1}, {nil, 999, 1},
		{[]int{500}, 500, 3}, {[]int{500}, 503, 1}, {[]int{}, 503, 1},
	} {
		calls := 0
		transport := newTransport(t, retryhttp.Options{
			Options:  retry.Options{Backoff: fast},
			Statuses: c.statuses,
			Base: base(func(*http.Request) (*http.Response, error) {
				calls++
				return answer(c.status, http.NoBody, ""), nil
			}),
		})
		resp, err := transport.RoundTrip(get(t, t.Context()))
		if status, _ := read(t, resp, err); status != c.status || calls != c.want {
			t.Errorf("%v: %d after %d attempts, want %d after %d", c.statuses, status, calls, c.status, c.want)
		}
	}
}

func TestRetryableIsAskedAboutAnswers(t *testing.T) {
	calls := 0
	transport := newTransport(t, retryhttp.Options{
		Options: retry.Options{Retryable: func(err error) bool {
			status, ok := errors.AsType[*retryhttp.StatusError](err)
			return !ok || status.StatusCode != 429
		}},
		Base: base(func(*http.Request) (*http.Response, error) { calls++; return answer(429, http.NoBody, ""), nil }),
	})
	resp, err := transport.RoundTrip(get(t, t.Context()))
	if status, _ := read(t, resp, err); status != 429 || calls != 1 {
		t.Errorf("got %d after %d attempts", status, calls)
	}
}
