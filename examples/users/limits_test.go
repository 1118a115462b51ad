package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

func TestAClientAboveItsLimitIsToldSo(t *testing.T) {
	p := startService(t, "-rate", "1", "-burst", "5")
	last := p.get("/users", "127.0.0.2")
	for n := 1; n < 5 || n < 100 && last.status == http.StatusOK; n++ { // time gives back a token here and there
		if last = p.get("/users", "127.0.0.2"); n < 5 && last.status != http.StatusOK {
			t.Fatalf("request %d of 5 at once: %d", n+1, last.status)
		}
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" ||
		last.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("a request above the limit: %d %v", last.status, last.header)
	}
	for _, field := range []string{"RateLimit", "RateLimit-Policy"} {
		list, err := httpsfv.UnmarshalList(last.header.Values(field))
		if err != nil || len(list) != 1 {
			t.Fatalf("%s %q: %v", field, last.header.Get(field), err)
		}
		if name := list[0].(httpsfv.Item).Value; name != "client" {
			t.Errorf("%s names the limit %v", field, name)
		}
	}
}

// The one who asks too much goes on asking all the time. Each of the others has its whole burst, one by one.
func TestOtherClientsAreUntouchedByOneAboveItsLimit(t *testing.T) {
	const burst = 5
	p := startService(t, "-rate", "1", "-burst", strconv.Itoa(burst))
	var (
		flood   sync.WaitGroup
		stop    atomic.Bool
		refused atomic.Int64
	)
	for range 4 {
		flood.Go(func() {
			client := clientFrom("127.0.0.2")
			for !stop.Load() {
				a, err := fetch(client, http.MethodGet, p.url+"/users", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if a.status == http.StatusTooManyRequests {
					refused.Add(1)
				}
			}
		})
	}
	defer flood.Wait()
	defer stop.Store(true)
	eventually(t, patience, "one client is far above its limit", func() bool { return refused.Load() > 20*burst })
	before := refused.Load()
	for _, from := range []string{"127.0.0.3", "127.0.0.4", "127.0.0.5"} {
		for left := burst - 1; left >= 0; left-- {
			a := p.get("/users", from)
			list, err := httpsfv.UnmarshalList(a.header.Values("RateLimit"))
			if a.status != http.StatusOK || err != nil {
				t.Fatalf("%s: %d %v %v", from, a.status, a.header, err)
			}
			// Time gives back a token here and there, and nobody else takes one.
			if r, _ := list[0].(httpsfv.Item).Params.Get("r"); r.(int64) < int64(left) {
				t.Errorf("%s has %v left, want at least %d", from, r, left)
			}
		}
	}
	eventually(t, patience, "the flood went on", func() bool { return refused.Load() > before })
}

func TestMalformedRequestsGetAProblem(t *testing.T) {
	p := startService(t)
	client := clientFrom("")
	many := http.Header{}
	for i := range 200 {
		many.Add("X-Many", strings.Repeat("y", 100+i%2))
	}
	kib := func(n int) http.Header { return http.Header{"X-Big": {strings.Repeat("x", n<<10)}} }
	for _, tt := range []struct {
		what, method, path string
		header             http.Header
		want               int
	}{
		{"a word for an id", http.MethodGet, "/users/bob", nil, http.StatusBadRequest},
		{"id 0", http.MethodGet, "/users/0", nil, http.StatusBadRequest},
		{"a negative id", http.MethodGet, "/users/-1", nil, http.StatusBadRequest},
		{"a signed id", http.MethodGet, "/users/+1", nil, http.StatusBadRequest},
		{"a padded id", http.MethodGet, "/users/01", nil, http.StatusBadRequest},
		{"a huge id", http.MethodGet, "/users/99999999999999999999999999", nil, http.StatusBadRequest},
		{"an escaped slash", http.MethodGet, "/users/1%2F2", nil, http.StatusBadRequest},
		{"an absent user", http.MethodGet, "/users/11", nil, http.StatusNotFound},
		{"a header field of 17 KiB", http.MethodGet, "/users", kib(17), http.StatusRequestHeaderFieldsTooLarge},
		{"a header field of 127 KiB", http.MethodGet, "/users", kib(127), http.StatusRequestHeaderFieldsTooLarge},
		{"a header field of 200 KiB", http.MethodGet, "/users", kib(200), http.StatusRequestHeaderFieldsTooLarge},
		{"a long URI", http.MethodGet, "/users?" + strings.Repeat("x", 9<<10), nil, http.StatusRequestURITooLong},
		{"many header fields", http.MethodGet, "/users", many, http.StatusRequestHeaderFieldsTooLarge},
		{"an unknown path", http.MethodGet, "/nothing", nil, http.StatusNotFound},
		{"a path below a user", http.MethodGet, "/users/1/posts", nil, http.StatusNotFound},
		{"a wrong method", http.MethodPost, "/users", nil, http.StatusMethodNotAllowed},
		{"another wrong method", http.MethodDelete, "/users/1", nil, http.StatusMethodNotAllowed},
	} {
		t.Run(tt.what, func(t *testing.T) {
			a, err := fetch(client, tt.method, p.url+tt.path, tt.header)
			if err != nil {
				t.Fatal(err)
			}
			wantProblem(t, a, tt.want)
		})
	}
	if a, err := fetch(client, http.MethodGet, p.url+"/users/1", http.Header{"X-Big": {strings.Repeat("x", 15<<10)}}); err != nil || a.status != http.StatusOK {
		t.Errorf("header fields of less than 16 KiB: %d %v", a.status, err)
	}
	if a, _ := fetch(client, http.MethodPost, p.url+"/users", nil); a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	if got := p.metric("users_standin_requests_total"); got != 2 {
		t.Errorf("%v requests reached the upstream, want 2: the absent user and the one that is there", got)
	}
}

// What is not even a request has no handler.
func TestWhatIsNotHTTPGetsAProblem(t *testing.T) {
	p := startService(t)
	for _, tt := range []struct {
		what, text string
		want       int
	}{
		{"no HTTP", "nonsense\r\n\r\n", http.StatusBadRequest},
		{"no Host", "GET /users HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		{"another version", "GET /users HTTP/3.1\r\nHost: a\r\n\r\n", http.StatusHTTPVersionNotSupported},
		{"an unknown encoding", "GET /users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: odd\r\n\r\n", http.StatusNotImplemented},
		{"8 MiB of header fields", "GET /users HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 8<<20) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(tt.what, func(t *testing.T) {
			c := dial(t, p)
			c.send(t, tt.text)
			a, err := c.receive()
			if err != nil {
				t.Fatal(err)
			}
			wantProblem(t, a, tt.want)
			if !a.last {
				t.Error("the connection goes on")
			}
		})
	}
}

func wantProblem(t *testing.T, a answer, status int) {
	t.Helper()
	var body struct {
		Title  string
		Status int
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, a.body)
	}
	if a.status != status || body.Status != status || body.Title == "" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %d %s %s, want %d", a.status, a.header.Get("Content-Type"), a.body, status)
	}
}

func TestAnswersTellCachesHowLongTheyLive(t *testing.T) {
	p := startService(t, "-ttl", "1m", "-stale-while-revalidate", "30s", "-stale-if-error", "1h")
	asked := time.Now()
	first, second := p.get("/users/1", ""), p.get("/users/1", "")
	most := int(time.Since(asked) / time.Second) // of its Age
	if got := first.header.Get("Cache-Status"); got != "joist; fwd=miss" {
		t.Errorf("Cache-Status of a miss: %q", got)
	}
	if age, err := strconv.Atoi(second.header.Get("Age")); err != nil || age < 0 || age > most {
		t.Errorf("Age %q, want 0 to %d", second.header.Get("Age"), most)
	}
	if got := second.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	// An entry's life is up to a tenth shorter than -ttl, so that entries made together do not end together.
	var maxAge, ttl int
	if _, err := fmt.Sscanf(second.header.Get("Cache-Control"), "max-age=%d, stale-while-revalidate=30, stale-if-error=3600", &maxAge); err != nil || maxAge < 54 || maxAge > 60 {
		t.Errorf("Cache-Control %q: %v", second.header.Get("Cache-Control"), err)
	}
	if _, err := fmt.Sscanf(second.header.Get("Cache-Status"), "joist; hit; ttl=%d", &ttl); err != nil || ttl > maxAge || ttl < maxAge-most-1 {
		t.Errorf("Cache-Status of a hit %q beside max-age=%d: %v", second.header.Get("Cache-Status"), maxAge, err)
	}
	etag := second.header.Get("ETag")
	a, err := fetch(clientFrom(""), http.MethodGet, p.url+"/users/1", http.Header{"If-None-Match": {etag}})
	if err != nil || a.status != http.StatusNotModified || a.body != "" {
		t.Errorf("If-None-Match %s: %d %q %v", etag, a.status, a.body, err)
	}
	if a, err := fetch(clientFrom(""), http.MethodHead, p.url+"/users/1", nil); err != nil || a.status != http.StatusOK || a.body != "" {
		t.Errorf("HEAD: %d %q %v", a.status, a.body, err)
	}
}
