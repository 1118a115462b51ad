package main

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// standInUsers is how many users the stand-in knows.
const standInUsers = 10

// standInDelay is how long the stand-in thinks.
const standInDelay = 50 * time.Millisecond

// standIn is a small JSON API on a port of its own, so that the demo has something to proxy. It counts the requests
// that reach it, in the metric users.standin.requests.
type standIn struct {
	server   *http.Server
	listener net.Listener
	requests metric.Int64Counter
}

func startStandIn(meters metric.MeterProvider) (*standIn, error) {
	requests, err := meters.Meter(scopeName).Int64Counter("users.standin.requests",
		metric.WithUnit("{request}"), metric.WithDescription("Requests that reached the stand-in upstream."))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("users: stand-in: %w", err)
	}
	s := &standIn{listener: listener, requests: requests}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users", s.list)
	mux.HandleFunc("GET /users/{id}", s.one)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with Close
	return s, nil
}

// URL returns the base URL of the stand-in.
func (s *standIn) URL() string { return "http://" + s.listener.Addr().String() }

// Close stops the stand-in at once.
func (s *standIn) Close() { _ = s.server.Close() }

// user is plainly a sample.
type user struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Email    string `json:"email"`
}

func sampleUser(id int) user {
	return user{id, fmt.Sprintf("Sample User %d", id), fmt.Sprintf("sample%d", id), fmt.Sprintf("sample%d@example.com", id)}
}

func (s *standIn) list(w http.ResponseWriter, r *http.Request) {
	if !s.think(r) {
		return
	}
	users := make([]user, standInUsers)
	for i := range users {
		users[i] = sampleUser(i + 1)
	}
	writeJSON(w, http.StatusOK, users)
}

func (s *standIn) one(w http.ResponseWriter, r *http.Request) {
	if !s.think(r) {
		return
	}
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 1 || id > standInUsers {
		writeJSON(w, http.StatusNotFound, struct{}{})
		return
	}
	writeJSON(w, http.StatusOK, sampleUser(id))
}

// think counts the request and takes its time. It is false when the caller left.
func (s *standIn) think(r *http.Request) bool {
	s.requests.Add(r.Context(), 1)
	select {
	case <-time.After(standInDelay):
		return true
	case <-r.Context().Done():
		return false
	}
}
