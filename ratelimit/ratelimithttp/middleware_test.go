package ratelimithttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func newKeyed(tb testing.TB, limit ratelimit.Limit) *ratelimit.Keyed[string] {
	tb.Helper()
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{limit}})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// limit returns h behind a limit per client address.
func limit(tb testing.TB, l ratelimit.Limit, h http.Handler) http.Handler {
	tb.Helper()
	return ratelimithttp.Middleware(ratelimit.TakerOf(newKeyed(tb, l)), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})(h)
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

// serve answers one request from the given address.
func serve(h http.Handler, remote string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// clientAt returns a client whose connections come from the given loopback address.
func clientAt(t *testing.T, ip string) *http.Client {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, c *http.Client, url string) answer {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func TestAClientAboveItsLimitIsRefusedAndOthersAreNot(t *testing.T) {
	server := httptest.NewServer(limit(t, ratelimit.PerHour(3), hello))
	defer server.Close()
	greedy, modest := clientAt(t, "127.0.0.1"), clientAt(t, "127.0.0.2")
	for i := range 3 {
		if a := get(t, greedy, server.URL); a.status != http.StatusOK || a.body != "hello" {
			t.Fatalf("request %d: %+v", i+1, a)
		}
	}
	for range 5 {
		a := get(t, greedy, server.URL)
		if a.status != http.StatusTooManyRequests {
			t.Fatalf("above the limit: %+v", a)
		}
		if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 1195 || wait > 1200 {
			t.Errorf("Retry-After is %q, want 20 minutes", a.header.Get("Retry-After"))
		}
	}
	if a := get(t, modest, server.URL); a.status != http.StatusOK || a.header.Get("Ratelimit") != `"default";r=2;t=1200` {
		t.Errorf("the other client: %+v", a)
	}
}

func TestTheAnswerTellsPolicyAndState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limit(t, ratelimit.PerMinute(100).WithBurst(10).Named("burst"), hello)
		for i, want := range []struct {
			sleep         time.Duration
			status        int
			state, policy string
			retryAfter    string
		}{
			{0, 200, `"burst";r=9;t=1`, `"burst";q=10;w=6`, ""},
			{0, 200, `"burst";r=8;t=1`, `"burst";q=10;w=6`, ""},
			{time.Minute, 200, `"burst";r=9;t=1`, `"burst";q=10;w=6`, ""},
		} {
			time.Sleep(want.sleep)
			w := serve(h, "192.0.2.1:1234")
			if w.Code != want.status || w.Header().Get("Ratelimit") != want.state ||
				w.Header().Get("Ratelimit-Policy") != want.policy || w.Header().Get("Retry-After") != want.retryAfter {
				t.Errorf("answer %d: %d %v, want %+v", i, w.Code, w.Header(), want)
			}
		}
	})
}

func TestARefusalIsAProblemAndSaysWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := 0
		h := limit(t, ratelimit.Every(1500*time.Millisecond).Named(`a "daily\" <quota>`), http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) { called++ }))
		serve(h, "192.0.2.1:1234")
		time.Sleep(100 * time.Millisecond)
		w := serve(h, "192.0.2.1:1234")
		if w.Code != http.StatusTooManyRequests || called != 1 {
			t.Fatalf("status %d, the handler was called %d times", w.Code, called)
		}
		for field, want := range map[string]string{
			"Content-Type":     "application/problem+json",
			"Retry-After":      "2",
			"Ratelimit":        `"a \"daily\\\" <quota>";r=0;t=2`,
			"Ratelimit-Policy": `"a \"daily\\\" <quota>";q=1;w=2`,
		} {
			if got := w.Header().Get(field); got != want {
				t.Errorf("%s is %s, want %s", field, got, want)
			}
		}
		var problem map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
			t.Fatal(err)
		}
		want := `map[status:429 title:Request cannot be satisfied as assigned quota has been exceeded ` +
			`type:https://iana.org/assignments/http-problem-types#quota-exceeded violated-policies:[a "daily\" <quota>]]`
		if got := fmt.Sprint(problem); got != want {
			t.Errorf("the problem is\n%s, want\n%s", got, want)
		}
		time.Sleep(1400 * time.Millisecond)
		if w := serve(h, "192.0.2.1:1234"); w.Code != http.StatusOK {
			t.Errorf("status %d after the time of Retry-After", w.Code)
		}
	})
}

func TestALimitWithoutANumberHasNoneInItsFields(t *testing.T) {
	w := serve(limit(t, ratelimit.Unlimited(), hello), "192.0.2.1:1")
	if w.Code != http.StatusOK || w.Header().Get("Ratelimit") != "" || w.Header().Get("Ratelimit-Policy") != "" {
		t.Errorf("Unlimited: %d %v", w.Code, w.Header())
	}
	w = serve(limit(t, ratelimit.None().Named("closed"), hello), "192.0.2.1:1")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "" ||
		w.Header().Get("Ratelimit") != `"closed";r=0` || w.Header().Get("Ratelimit-Policy") != `"closed";q=0` {
		t.Errorf("None: %d %v", w.Code, w.Header())
	}
}

func TestMiddlewaresAroundEachOtherTellAllLimits(t *testing.T) {
	h := limit(t, ratelimit.PerHour(10).Named("outer"), limit(t, ratelimit.PerHour(1).Named("inner"), hello))
	serve(h, "192.0.2.1:1")
	w := serve(h, "192.0.2.1:1")
	policies, states := w.Header().Values("Ratelimit-Policy"), w.Header().Values("Ratelimit")
	if fmt.Sprint(policies) != `["outer";q=10;w=3600 "inner";q=1;w=3600]` || fmt.Sprint(states) != `["outer";r=8;t=360 "inner";r=0;t=3600]` {
		t.Errorf("%v, %v", policies, states)
	}
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), `["inner"]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestNoTIsAfterRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			outer             ratelimit.Limit
			state, retryAfter string
		}{
			{ratelimit.PerMinute(2).Named("outer"), `"outer";r=0;t=30 `, "30"},
			{ratelimit.PerMinute(3).Named("outer"), ``, "10"}, // one is left, so that the inner limit alone holds the client up
			{ratelimit.PerMinute(6).WithBurst(3).Named("outer"), `"outer";r=1;t=10 `, "10"},
			{ratelimit.PerMinute(6).WithBurst(2).Named("outer"), `"outer";r=0;t=10 `, "10"},
			{ratelimit.PerMinute(2).Named(`"x";r=0;t=99`), `"\"x\";r=0;t=99";r=0;t=30 `, "30"},
			{ratelimit.PerMinute(6).WithBurst(3).Named(`;r=0;t=99`), `";r=0;t=99";r=1;t=10 `, "10"},
			{ratelimit.Unlimited(), ``, "10"},
		} {
			h := limit(t, tt.outer, limit(t, ratelimit.Every(10*time.Second).Named("inner"), hello))
			serve(h, "192.0.2.1:1")
			w := serve(h, "192.0.2.1:1")
			if got := w.Header().Values("Ratelimit"); w.Code != http.StatusTooManyRequests || fmt.Sprint(got) != "["+tt.state+`"inner";r=0;t=10]` {
				t.Errorf("%v: %d %v", tt.outer, w.Code, got)
			}
			if got := w.Header().Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("%v: Retry-After is %s, want %s", tt.outer, got, tt.retryAfter)
			}
		}
	})
}

func TestWhatOthersTellOfLimitsHoldsForRetryAfterToo(t *testing.T) {
	for _, tt := range []struct{ lines, kept, retryAfter string }{
		{`"a";t=99;r=0`, `"a";t=99;r=0`, "99"},
		{`"a";r=0;t=12, "b";r=0;t=11`, `"a";r=0;t=12, "b";r=0;t=11`, "12"},
		{`"a";r=0;t=12, "b";r=1;t=13`, ``, "12"},
		{`"a";r=0, "b";r=1`, `"a";r=0, "b";r=1`, "10"},
		{`"a";r=0;t=9999999999`, `"a";r=0;t=9999999999`, "9223372037"}, // 292 years are for ever
		{`a;r=0;t=99`, ``, "10"},                                       // malformed, so that clients would ignore all lines
		{``, ``, "10"},
	} {
		limited := ratelimithttp.Middleware(answers(ratelimit.Result{RetryAfter: 10e9}), ratelimithttp.Options{Key: literal("k")})(hello)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("RateLimit", tt.lines)
			limited.ServeHTTP(w, r)
		})
		w := serve(h, "192.0.2.1:1")
		if got := w.Header(); got.Get("Ratelimit") != tt.kept || got.Get("Retry-After") != tt.retryAfter {
			t.Errorf("beside %s: %v", tt.lines, got)
		}
	}
}

func TestRequestsWithoutAKeyShareABucket(t *testing.T) {
	h := limit(t, ratelimit.PerHour(2), hello)
	var codes []int
	for _, remote := range []string{"", "@", "nonsense", "[::1", "192.0.2.1:1"} {
		codes = append(codes, serve(h, remote).Code)
	}
	if fmt.Sprint(codes) != "[200 200 429 429 200]" {
		t.Errorf("status %v", codes)
	}
}

// takerFunc is a Taker whose buckets are elsewhere.
type takerFunc func(ctx context.Context, key string, n int64) (ratelimit.Result, error)

func (f takerFunc) Take(ctx context.Context, key string, n int64) (ratelimit.Result, error) {
	return f(ctx, key, n)
}

func TestATakerThatFailsIsA503ThatDoesNotTellWhy(t *testing.T) {
	secret := errors.New("dial 10.0.0.7:6379: wrong password")
	taker := takerFunc(func(context.Context, string, int64) (ratelimit.Result, error) { return ratelimit.Result{}, secret })
	var log strings.Builder
	h := ratelimithttp.Middleware(taker, ratelimithttp.Options{
		Name:   "front",
		Key:    func(*http.Request) string { return "key-of-ann" },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }))
	for range 3 {
		w := serve(h, "192.0.2.1:1")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "password") {
			t.Errorf("the body is %s", w.Body)
		}
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "front") ||
		strings.Contains(got, "ann") || strings.Contains(got, "password") {
		t.Errorf("the log is %s", got)
	}
}

func TestAClientThatHasGoneIsNotLogged(t *testing.T) {
	var log strings.Builder
	k := newKeyed(t, ratelimit.PerHour(1))
	h := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{
		Key:    ratelimithttp.ClientIP(),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if w.Code != http.StatusServiceUnavailable || log.String() != "" || k.Stats().Allowed != 0 {
		t.Errorf("status %d, log %q, %+v", w.Code, log.String(), k.Stats())
	}
}

func TestTheTakerIsAskedForOneTokenOfTheKeyInTheRequestsContext(t *testing.T) {
	type mark struct{}
	asked := 0
	taker := takerFunc(func(ctx context.Context, key string, n int64) (ratelimit.Result, error) {
		asked++
		if ctx.Value(mark{}) != 1 || key != "/path" || n != 1 {
			t.Errorf("asked for %d of %q in %v", n, key, ctx)
		}
		return ratelimit.Result{Allowed: true}, nil
	})
	h := ratelimithttp.Middleware(taker, ratelimithttp.Options{
		Key: func(r *http.Request) string { return r.URL.Path },
	})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Value(mark{}) != 1 {
			t.Error("the handler got another context")
		}
	}))
	r := httptest.NewRequestWithContext(context.WithValue(t.Context(), mark{}, 1), http.MethodGet, "/path", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if asked != 1 || w.Code != http.StatusOK || w.Header().Get("Ratelimit") != "" {
		t.Errorf("asked %d times, %d %v: a result without a limit has no fields", asked, w.Code, w.Header())
	}
}

// span records its events.
type span struct {
	nooptrace.Span
	events []string
}

func (*span) IsRecording() bool { return true }

func (s *span) AddEvent(name string, o ...trace.EventOption) {
	config := trace.NewEventConfig(o...)
	set := attribute.NewSet(config.Attributes()...)
	s.events = append(s.events, name+"{"+set.Encoded(attribute.DefaultEncoder())+"}")
}

func TestARefusalIsAnEventOnTheRequestsSpan(t *testing.T) {
	s := &span{}
	taker := ratelimit.TakerOf(newKeyed(t, ratelimit.PerHour(1).Named("hourly")))
	h := ratelimithttp.Middleware(taker, ratelimithttp.Options{Name: "front", Key: func(*http.Request) string { return "secret" }})(hello)
	for range 2 {
		r := httptest.NewRequestWithContext(trace.ContextWithSpan(t.Context(), s), http.MethodGet, "/", nil)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if want := "[joist.ratelimit.limited{joist.name=front,joist.ratelimit.limit=hourly}]"; fmt.Sprint(s.events) != want {
		t.Errorf("events %v, want %s", s.events, want)
	}
}

func TestARefusalWithoutAHintAsksForASecond(t *testing.T) {
	taker := takerFunc(func(context.Context, string, int64) (ratelimit.Result, error) { return ratelimit.Result{}, nil })
	w := serve(ratelimithttp.Middleware(taker, ratelimithttp.Options{Key: ratelimithttp.ClientIP()})(hello), "192.0.2.1:1")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if strings.Contains(w.Body.String(), "violated-policies") {
		t.Errorf("a policy without a name: %s", w.Body)
	}
}

func TestAPanicOfTheHandlerComesThrough(t *testing.T) {
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("it did not")
		}
	}()
	serve(limit(t, ratelimit.PerHour(1), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })), "")
}

func TestMiddlewarePanicsWithoutWhatItNeeds(t *testing.T) {
	taker := ratelimit.TakerOf(newKeyed(t, ratelimit.PerHour(1)))
	key := ratelimithttp.ClientIP()
	for name, make := range map[string]func(){
		"a taker":      func() { ratelimithttp.Middleware(nil, ratelimithttp.Options{Key: key}) },
		"a key":        func() { ratelimithttp.Middleware(taker, ratelimithttp.Options{}) },
		"a valid name": func() { ratelimithttp.Middleware(taker, ratelimithttp.Options{Key: key, Name: "a\nb"}) },
		"a handler":    func() { ratelimithttp.Middleware(taker, ratelimithttp.Options{Key: key})(nil) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "joist/ratelimithttp") {
					t.Errorf("without %s: panic %v", name, r)
				}
			}()
			make()
		}()
	}
}
