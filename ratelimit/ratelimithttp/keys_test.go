package ratelimithttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func literal(s string) func(*http.Request) string { return func(*http.Request) string { return s } }

func TestKeysOfARequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/users/7", nil)
	r.RemoteAddr = "192.0.2.1:99"
	r.Header["X-User"] = []string{"ann", "bob"}
	r.Header["X-Empty"] = []string{""}
	r.Header.Set("Cookie", `session=abc; theme="dark"; session=def`)
	r.Pattern = "GET /users/{id}"
	for name, tt := range map[string]struct {
		key  func(*http.Request) string
		want string
	}{
		"a header, however it is spelled": {ratelimithttp.Header("x-USER"), "ann"},
		"a header that is missing":        {ratelimithttp.Header("X-Other"), ""},
		"a header that is empty":          {ratelimithttp.Header("X-Empty"), ""},
		"the host":                        {ratelimithttp.Header("host"), "shop.example"},
		"a cookie":                        {ratelimithttp.Cookie("session"), "abc"},
		"a cookie that is missing":        {ratelimithttp.Cookie("Session"), ""},
		"a pattern":                       {ratelimithttp.Pattern(), "GET /users/{id}"},
		"several":                         {ratelimithttp.Keys(ratelimithttp.Header("X-User"), ratelimithttp.Pattern()), "3:ann15:GET /users/{id}"},
		"several, one missing":            {ratelimithttp.Keys(ratelimithttp.Header("X-Other"), ratelimithttp.ClientIP()), "0:9:192.0.2.1"},
		"several, all missing":            {ratelimithttp.Keys(ratelimithttp.Header("X-Other"), ratelimithttp.Header("X-Empty")), ""},
		"the first":                       {ratelimithttp.FirstOf(ratelimithttp.Header("X-User"), ratelimithttp.ClientIP()), "0:ann"},
		"the second":                      {ratelimithttp.FirstOf(ratelimithttp.Header("X-Empty"), ratelimithttp.ClientIP()), "1:192.0.2.1"},
		"none":                            {ratelimithttp.FirstOf(ratelimithttp.Header("X-Empty"), literal("")), ""},
	} {
		if got := tt.key(r); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestNoPartOfAKeyIsMistakenForAnother(t *testing.T) {
	part := rapid.StringOfN(rapid.SampledFrom([]rune("01:a")), 0, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(part, 2, 2).Draw(t, "a"), rapid.SliceOfN(part, 2, 2).Draw(t, "b")
		same := fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b)
		if got := ratelimithttp.Keys(literal(a[0]), literal(a[1]))(nil) == ratelimithttp.Keys(literal(b[0]), literal(b[1]))(nil); got != same {
			t.Fatalf("Keys of %q and of %q are the same: %v", a, b, got)
		}
		first := func(s []string) string { return ratelimithttp.FirstOf(literal(s[0]), literal(s[1]))(nil) }
		if a[0] != "" && b[0] == "" && first(a) == first(b) {
			t.Fatalf("FirstOf of %q and of %q are the same: %q", a, b, first(a))
		}
	})
}

func TestAKeyDoesNotChangeWithTheSliceItWasMadeOf(t *testing.T) {
	parts := []func(*http.Request) string{literal("a"), literal("b")}
	all, first := ratelimithttp.Keys(parts...), ratelimithttp.FirstOf(parts...)
	parts[0], parts[1] = literal("x"), nil
	if all(nil) != "1:a1:b" || first(nil) != "0:a" {
		t.Errorf("%q, %q", all(nil), first(nil))
	}
}

func TestRequestsWithoutAHeaderAreLimitedTogether(t *testing.T) {
	key := ratelimithttp.Keys(ratelimithttp.Header("X-User"), ratelimithttp.Cookie("tenant"))
	h := ratelimithttp.Middleware(ratelimit.TakerOf(newKeyed(t, ratelimit.PerHour(1))), ratelimithttp.Options{Key: key})(hello)
	for i, want := range []int{200, 429, 429} {
		if w := serve(h, fmt.Sprintf("192.0.2.%d:1", i)); w.Code != want {
			t.Errorf("request %d without a key: %d, want %d", i, w.Code, want)
		}
	}
}

func TestARouteIsABucketWithinTheMux(t *testing.T) {
	limit := ratelimithttp.Middleware(ratelimit.TakerOf(newKeyed(t, ratelimit.PerHour(1))), ratelimithttp.Options{Key: ratelimithttp.Pattern()})
	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", limit(hello))
	mux.Handle("GET /orders/{id}", limit(hello))
	for _, tt := range []struct {
		path string
		want int
	}{{"/users/1", 200}, {"/users/2", 429}, {"/orders/1", 200}} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tt.path, nil))
		if w.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.path, w.Code, tt.want)
		}
	}
}

func TestALongKeyIsHashedAndStillItsOwn(t *testing.T) {
	var got []string
	taker := takerFunc(func(_ context.Context, key string, _ int64) (ratelimit.Result, error) {
		got = append(got, key)
		return ratelimit.Result{Allowed: true}, nil
	})
	h := ratelimithttp.Middleware(taker, ratelimithttp.Options{Key: ratelimithttp.Header("X-Key")})(hello)
	send := func(key string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Key"] = []string{key}
		h.ServeHTTP(httptest.NewRecorder(), r)
		return got[len(got)-1]
	}
	short := strings.Repeat("k", ratelimithttp.MaxKey)
	if send(short) != short {
		t.Errorf("a key of MaxKey bytes became %q", got[0])
	}
	long := send(short + "k")
	if len(long) != ratelimithttp.MaxKey+1 || long[0] != '#' || send(short+"k") != long || send(short+"l") == long {
		t.Errorf("long keys became %q", got)
	}
	if send(strings.Repeat("k", 1<<20)) == long || len(got[len(got)-1]) != len(long) {
		t.Errorf("a key of a megabyte became one of %d bytes", len(got[len(got)-1]))
	}
	if send(long) == long {
		t.Error("who sends the hash of a key has its bucket")
	}
}

func TestKeysPanicWithoutWhatTheyNeed(t *testing.T) {
	for name, make := range map[string]func(){
		"Header":      func() { ratelimithttp.Header("") },
		"Header ' '":  func() { ratelimithttp.Header("X User") },
		"Header ':'":  func() { ratelimithttp.Header("X-User:") },
		"Header 'ä'":  func() { ratelimithttp.Header("X-Üser") },
		"Cookie":      func() { ratelimithttp.Cookie("") },
		"Cookie '='":  func() { ratelimithttp.Cookie("session=") },
		"Cookie '/'":  func() { ratelimithttp.Cookie("a/b") },
		"Keys":        func() { ratelimithttp.Keys() },
		"Keys nil":    func() { ratelimithttp.Keys(literal("a"), nil) },
		"FirstOf":     func() { ratelimithttp.FirstOf() },
		"FirstOf nil": func() { ratelimithttp.FirstOf(nil) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "joist/ratelimithttp: ") {
					t.Errorf("%s: panic %v", name, r)
				}
			}()
			make()
		}()
	}
}

// Two requests have the same key if and only if all parts are the same, or all are missing, however long they are.
func FuzzKeysTellRequestsApart(f *testing.F) {
	f.Add("ann", "session=1", "GET /", "ann", "session=2", "GET /")
	f.Add("1:a", "session=", "", "1", "session=\"a\"", "a")
	f.Add(strings.Repeat("k", 127), "session=1", "x", strings.Repeat("k", 128), "session=1", "")
	parts := []func(*http.Request) string{ratelimithttp.Header("X-User"), ratelimithttp.Cookie("session"), ratelimithttp.Pattern()}
	f.Fuzz(func(t *testing.T, user, cookie, pattern, user2, cookie2, pattern2 string) {
		var got, want []string
		for name, key := range map[string]func(*http.Request) string{"Keys": ratelimithttp.Keys(parts...), "FirstOf": ratelimithttp.FirstOf(parts...)} {
			got, want = nil, nil
			taker := takerFunc(func(_ context.Context, key string, _ int64) (ratelimit.Result, error) {
				got = append(got, key)
				return ratelimit.Result{Allowed: true}, nil
			})
			h := ratelimithttp.Middleware(taker, ratelimithttp.Options{Key: key})(hello)
			for _, from := range [][3]string{{user, cookie, pattern}, {user2, cookie2, pattern2}} {
				r := &http.Request{Header: http.Header{"X-User": {from[0]}, "Cookie": {from[1]}}, Pattern: from[2]}
				h.ServeHTTP(httptest.NewRecorder(), r)
				var values []string
				for _, part := range parts {
					if value := part(r); name == "Keys" || value != "" {
						values = append(values, fmt.Sprintf("%d %q", len(values), value))
					} else {
						values = append(values, "")
					}
				}
				if name == "FirstOf" {
					values = firstThatIsThere(values)
				}
				want = append(want, strings.Join(values, " "))
			}
			if len(got[0]) > ratelimithttp.MaxKey+1 || (got[0] == got[1]) != (want[0] == want[1]) {
				t.Errorf("%s: %q for %q", name, got, want)
			}
		}
	})
}

func firstThatIsThere(values []string) []string {
	for i, v := range values {
		if v != "" {
			return values[i : i+1]
		}
	}
	return nil
}
