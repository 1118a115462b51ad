package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"
)

func TestAClientAboveItsLimitIsToldSoAndOthersAreUntouched(t *testing.T) {
	p := start(t, []string{serveEnv + "=1"}, "-addr", "127.0.0.1:0", "-rate", "1", "-burst", "5")
	var last answer
	for range 6 {
		last = p.get("/users", "127.0.0.2")
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" ||
		last.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("the sixth request: %d %v", last.status, last.header)
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
	for range 5 {
		if a := p.get("/users", "127.0.0.3"); a.status != http.StatusOK || a.header.Get("RateLimit") == "" {
			t.Fatalf("another client: %d %v", a.status, a.header)
		}
	}
}

func TestMalformedRequestsGetAProblem(t *testing.T) {
	p := startService(t)
	client := clientFrom("")
	big := http.Header{"X-Big": {strings.Repeat("x", 17<<10)}}
	many := http.Header{}
	for i := range 200 {
		many.Add("X-Many", strings.Repeat("y", 100+i%2))
	}
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
		{"a large header field", http.MethodGet, "/users", big, http.StatusRequestHeaderFieldsTooLarge},
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
			if a.status != tt.want || a.header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("got %d %s %s, want %d", a.status, a.header.Get("Content-Type"), a.body, tt.want)
			}
		})
	}
	if a, _ := fetch(client, http.MethodPost, p.url+"/users", nil); a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	if got := p.metric("users_standin_requests_total"); got != 1 {
		t.Errorf("%v requests reached the upstream, want 1: the absent user", got)
	}
}

func TestAnswersTellCachesHowLongTheyLive(t *testing.T) {
	p := startService(t, "-ttl", "1m", "-stale-while-revalidate", "30s", "-stale-if-error", "1h")
	first, second := p.get("/users/1", ""), p.get("/users/1", "")
	if got := first.header.Get("Cache-Status"); got != "joist; fwd=miss" {
		t.Errorf("Cache-Status of a miss: %q", got)
	}
	for field, want := range map[string]string{
		"Age":          "0",
		"Content-Type": "application/json",
	} {
		if got := second.header.Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	// An entry's life is up to a tenth shorter than -ttl, so that entries made together do not end together.
	var maxAge, ttl int
	if _, err := fmt.Sscanf(second.header.Get("Cache-Control"), "max-age=%d, stale-while-revalidate=30, stale-if-error=3600", &maxAge); err != nil || maxAge < 54 || maxAge > 60 {
		t.Errorf("Cache-Control %q: %v", second.header.Get("Cache-Control"), err)
	}
	if _, err := fmt.Sscanf(second.header.Get("Cache-Status"), "joist; hit; ttl=%d", &ttl); err != nil || ttl > maxAge || ttl < maxAge-2 {
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
