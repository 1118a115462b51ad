package ratelimithttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

// quiet drops what is logged.
var quiet = slog.New(slog.DiscardHandler)

func TestAHandlerCanDoAllThatItsServerLetsIt(t *testing.T) {
	server := httptest.NewServer(limit(t, ratelimit.PerHour(9), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		switch r.URL.Path {
		case "/flush":
			_, _ = io.WriteString(w, "a")
			if err := control.Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
			<-r.Context().Done() // the client has read what was flushed, and leaves
		case "/hijack":
			conn, buf, err := control.Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			defer conn.Close()
			_, _ = buf.WriteString("HTTP/1.1 299 Hijacked\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = buf.Flush()
		case "/hints":
			w.WriteHeader(http.StatusEarlyHints)
		}
	})))
	defer server.Close()

	res, err := server.Client().Get(server.URL + "/flush")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(res.Body, first); err != nil || res.Header.Get("Ratelimit") != `"default";r=8;t=400` {
		t.Errorf("flushed %q, %v, %v", first, err, res.Header)
	}
	res.Body.Close()

	if a := get(t, server.Client(), server.URL+"/hijack"); a.status != 299 || a.header.Get("Ratelimit") != "" {
		t.Errorf("hijacked: %+v: what the handler writes is all of it", a)
	}

	hints := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		hints += code
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/hints", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err = server.Client().Do(req); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if hints != http.StatusEarlyHints || res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Ratelimit"), `"default";r=6;`) {
		t.Errorf("hints %d, then %d %v", hints, res.StatusCode, res.Header)
	}
}

func TestEveryMethodTakesATokenAndHEADIsRefusedWithoutABody(t *testing.T) {
	server := httptest.NewServer(limit(t, ratelimit.PerHour(1), hello))
	defer server.Close()
	lengths := map[int64]bool{}
	for i, method := range []string{http.MethodOptions, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions} {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if res.StatusCode != http.StatusOK {
				t.Errorf("the first request: %d", res.StatusCode)
			}
			continue
		}
		lengths[res.ContentLength] = true
		if res.StatusCode != http.StatusTooManyRequests || (len(body) == 0) != (method == http.MethodHead) || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", method, res.StatusCode, res.Header, body)
		}
	}
	if len(lengths) != 1 {
		t.Errorf("the lengths of refusals differ: %v", lengths)
	}
}

func TestWhatWasSetForTheAnswerThatDoesNotComeIsNotSent(t *testing.T) {
	limited := limit(t, ratelimit.None(), hello)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Content-Length", "5")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		limited.ServeHTTP(w, r)
	}))
	defer server.Close()
	a := get(t, server.Client(), server.URL)
	if a.status != http.StatusTooManyRequests || !strings.HasSuffix(a.body, "}\n") || a.header.Get("Cache-Control") != "" ||
		a.header.Get("ETag") != "" || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%+v", a)
	}
}

// errHint is an error that knows when to come back, such as that of a breaker in front of a store.
type errHint time.Duration

func (e errHint) Error() string             { return "open" }
func (e errHint) RetryAfter() time.Duration { return time.Duration(e) }

func TestTheStatusOfATakersError(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, tt := range []struct {
		name       string
		ctx        context.Context
		err        error
		status     int
		retryAfter string
		logged     int
	}{
		{"the store fails", t.Context(), errors.New("no answer"), 503, "", 1},
		{"the store is late, the request is not", t.Context(), context.DeadlineExceeded, 503, "", 1},
		{"the store fails, and the request is late", late, errors.New("no answer"), 503, "", 1},
		{"the request is late", late, fmt.Errorf("take: %w", context.DeadlineExceeded), 504, "", 0},
		{"the client has gone", cancelled, context.Canceled, 503, "", 0},
		{"an error that knows when to come back", t.Context(), fmt.Errorf("take: %w", errHint(1500*time.Millisecond)), 503, "2", 1},
		{"one that does not", t.Context(), errHint(-1), 503, "", 1},
		{"a wait in vain", t.Context(), &ratelimit.LimitedError{Result: ratelimit.Result{RetryAfter: 61e9, Limit: burst}}, 429, "61", 0},
	} {
		var log strings.Builder
		taker := takerFunc(func(context.Context, string, int64) (ratelimit.Result, error) { return ratelimit.Result{}, tt.err })
		h := ratelimithttp.Middleware(taker, ratelimithttp.Options{Key: literal("k"), Logger: slog.New(slog.NewTextHandler(&log, nil))})(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the handler was called", tt.name) }))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(tt.ctx, http.MethodGet, "/", nil))
		if w.Code != tt.status || w.Header().Get("Retry-After") != tt.retryAfter || strings.Count(log.String(), "\n") != tt.logged {
			t.Errorf("%s: %d %v, log %q, want %d, %q, %d lines", tt.name, w.Code, w.Header(), log.String(), tt.status, tt.retryAfter, tt.logged)
		}
		if !strings.Contains(w.Body.String(), fmt.Sprintf(`"status":%d`, tt.status)) {
			t.Errorf("%s: the problem is %s", tt.name, w.Body)
		}
	}
}

func TestRetryAfterOfAFailureIsNotBeforeATThatWasTold(t *testing.T) {
	failing := takerFunc(func(context.Context, string, int64) (ratelimit.Result, error) {
		return ratelimit.Result{}, errHint(time.Second)
	})
	h := limit(t, ratelimit.PerHour(1), ratelimithttp.Middleware(failing, ratelimithttp.Options{Key: literal("k"), Logger: quiet})(hello))
	if w := serve(h, "192.0.2.1:1"); w.Code != 503 || w.Header().Get("Retry-After") != "3600" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// A store that is down lets everything pass, or a limiter in its place answers: clients are told of it as of any other.
func TestADegradedAnswerNeverTellsMoreThanTheBucketHolds(t *testing.T) {
	h := ratelimithttp.Middleware(answers(
		ratelimit.Result{Allowed: true, Remaining: math.MaxInt64, Limit: burst, Degraded: true},
		ratelimit.Result{Allowed: true, Remaining: 21, Limit: ratelimit.PerSecond(100).WithBurst(20).Named("small"), Degraded: true},
		ratelimit.Result{Remaining: 3, RetryAfter: 2e9, ResetAfter: 58e9, Limit: burst, Degraded: true},
	), ratelimithttp.Options{Key: literal("k"), LegacyFields: true})(hello)
	w := serve(h, "192.0.2.1:1")
	if got := w.Header(); got.Get("Ratelimit") != `"burst";r=100` || got.Get("X-Ratelimit-Remaining") != "100" {
		t.Errorf("%v", got)
	}
	if got := serve(h, "192.0.2.1:1").Header().Get("Ratelimit"); got != `"small";r=20` {
		t.Errorf("%s", got)
	}
	w = serve(h, "192.0.2.1:1")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Ratelimit") != `"burst";r=3;t=2` || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestANameThatNoFieldCanHoldIsLeftOut(t *testing.T) {
	for _, name := range []string{"tägli\u0161", "a\nb", "a\x00", "\x7f", "a\r\nSet-Cookie: x=1", "\xff"} {
		l := burst
		l.Name = name
		h := ratelimithttp.Middleware(answers(ratelimit.Result{Limit: l, RetryAfter: 1e9}), ratelimithttp.Options{
			Key: literal("k"), LegacyFields: true, Policies: []ratelimit.Limit{daily},
		})(hello)
		w := serve(h, "192.0.2.1:1")
		if got := w.Header(); w.Code != 429 || got["Ratelimit"] != nil || got["X-Ratelimit-Limit"] != nil || got.Get("Retry-After") != "1" ||
			got.Get("Ratelimit-Policy") != `"daily";q=1000;w=86400` || got["Set-Cookie"] != nil {
			t.Errorf("%q: %d %v", name, w.Code, got)
		}
	}
}

func TestAKeyMayHaveLimitsOfItsOwnNames(t *testing.T) {
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(1)},
		LimitsFor: func(key string) []ratelimit.Limit {
			return []ratelimit.Limit{ratelimit.PerHour(int64(len(key))).Named("of " + key), ratelimit.PerDay(9).Named("daily")}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{Key: func(r *http.Request) string { return r.RemoteAddr }})(hello)
	for n := 1; n <= 7; n++ {
		key := strings.Repeat("k", n)
		for left := n - 1; left >= 0; left-- {
			if got, want := serve(h, key).Header().Get("Ratelimit"), fmt.Sprintf(`"of %s";r=%d;`, key, left); !strings.HasPrefix(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
		}
		w := serve(h, key)
		if want := fmt.Sprintf(`"of %s";q=%d;w=3600`, key, n); w.Code != 429 || w.Header().Get("Ratelimit-Policy") != want ||
			!strings.Contains(w.Body.String(), `["of `+key+`"]`) {
			t.Errorf("%d %v %s, want %s", w.Code, w.Header(), w.Body, want)
		}
	}
}

// Whoever is trusted may still send what it likes: a field is read as far as any chain of proxies goes, and no further.
func TestHowMuchOfAFieldIsReadIsBounded(t *testing.T) {
	key := ratelimithttp.ClientIP(netip.MustParsePrefix("10.0.0.0/8"))
	hops := func(n int, element, comma string) string { return strings.Repeat(element+comma, n-1) + element }
	for name, tt := range map[string]struct {
		field string
		lines []string
		want  string
	}{
		"31 proxies, then a client": {"X-Forwarded-For", []string{"203.0.113.7," + hops(31, "10.0.0.2", ",")}, "203.0.113.7"},
		"32 proxies, then a client": {"X-Forwarded-For", []string{"203.0.113.7, " + hops(31, "10.0.0.2", ", ") + ",10.0.0.3"}, "10.0.0.2"},
		"over lines":                {"X-Forwarded-For", append([]string{"203.0.113.7"}, strings.Split(hops(32, "10.0.0.2", ","), ",")...), "10.0.0.2"},
		"a megabyte of proxies":     {"X-Forwarded-For", []string{hops(1e5, "10.0.0.2", ",")}, "10.0.0.2"},
		"31 in Forwarded":           {"Forwarded", []string{"for=203.0.113.7," + hops(31, "for=10.0.0.2", ",")}, "203.0.113.7"},
		"32 in Forwarded":           {"Forwarded", []string{"for=203.0.113.7," + hops(32, "for=10.0.0.2", ",")}, "10.0.0.2"},
		"a long element":            {"X-Forwarded-For", []string{"1.2.3.4," + strings.Repeat(" ", 1024-len("203.0.113.7")-1) + "203.0.113.7"}, "203.0.113.7"},
		"too long a one":            {"X-Forwarded-For", []string{"1.2.3.4," + strings.Repeat(" ", 1024-len("203.0.113.7")) + "203.0.113.7"}, "10.0.0.1"},
		"a long one alone":          {"X-Forwarded-For", []string{strings.Repeat(" ", 1024-len("203.0.113.7")) + "203.0.113.7"}, "203.0.113.7"},
		"a long one in Forwarded":   {"Forwarded", []string{`for=1.2.3.4,for=203.0.113.7;host="` + strings.Repeat(",", 980) + `"`}, "203.0.113.7"},
		"too long in Forwarded":     {"Forwarded", []string{`for=1.2.3.4,for=203.0.113.7;host="` + strings.Repeat(",", 1024) + `"`}, "10.0.0.1"},
		"an open quotation mark":    {"Forwarded", []string{`for=1.2.3.4,for=203.0.113.7;host="` + strings.Repeat("x", 1<<20)}, "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{tt.field: tt.lines}}
		if got := key(r); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestBehindAUnixSocketRemoteAddrCanBeSet(t *testing.T) {
	limited := ratelimithttp.ClientIP(netip.MustParsePrefix("127.0.0.1/32"))
	r := &http.Request{RemoteAddr: "@", Header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}}
	if got := limited(r); got != "" {
		t.Errorf("without an address the key is %q", got)
	}
	r.RemoteAddr = "127.0.0.1:1"
	if got := limited(r); got != "203.0.113.7" {
		t.Errorf("with one it is %q", got)
	}
}

// Whatever stands in RateLimit when a refusal comes, what is sent parses, and no t is after Retry-After.
func FuzzARefusalBesideOtherFields(f *testing.F) {
	f.Add(`"a";r=0;t=99`, `"b";r=1;t=100, "c";r=0;t=5`, int64(10))
	f.Add(`"a`, `b";r=0;t=99`, int64(1))
	f.Add(``, `"a";r=0;t=999999999999999`, int64(-1))
	f.Fuzz(func(t *testing.T, first, second string, after int64) {
		limited := ratelimithttp.Middleware(answers(ratelimit.Result{RetryAfter: time.Duration(after), Limit: burst}), ratelimithttp.Options{Key: literal("k")})(hello)
		w := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Ratelimit"] = []string{first, second}
			limited.ServeHTTP(w, r)
		}), "192.0.2.1:1")
		wait, err := strconv.ParseInt(w.Header().Get("Retry-After"), 10, 64)
		if err != nil || wait < 1 || wait < after/int64(time.Second) {
			t.Fatalf("Retry-After is %q", w.Header().Get("Retry-After"))
		}
		lines := w.Header()["Ratelimit"]
		limits, err := ratelimithttp.ParseLimits(w.Header())
		if err != nil && len(first)+len(second) < 10_000 && strings.Count(first+second, ",") < 60 || len(lines) == 0 {
			t.Fatalf("%q: %v", lines, err)
		}
		for _, l := range limits {
			if int64(l.Reset/time.Second) > wait {
				t.Fatalf("Retry-After %d beside %q", wait, lines)
			}
		}
	})
}
