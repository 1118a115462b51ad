package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The part of an answer from the cache that is ours: from the routes to the last header field.
func BenchmarkAnswerFromTheCache(b *testing.B) {
	standin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, []user{sampleUser(1)})
	}))
	defer standin.Close()
	s, err := parse([]string{"-upstream", standin.URL, "-rate", "1000000000", "-burst", "1000000000", "-ttl", "1h"}, b.Output())
	if err != nil {
		b.Fatal(err)
	}
	obs, err := observe()
	if err != nil {
		b.Fatal(err)
	}
	svc, err := newService(s, obs)
	if err != nil {
		b.Fatal(err)
	}
	h := svc.handler()
	w := &discard{header: make(http.Header)}
	r := httptest.NewRequest(http.MethodGet, "/users", nil)
	r.Header = http.Header{"User-Agent": {"bench"}, "Accept": {"*/*"}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	if w.status != 0 {
		b.Fatalf("status %d", w.status)
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
