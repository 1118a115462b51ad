// Users is one endpoint, GET /users, that proxies a JSON API, protected by all of joist's blocks: a rate limit for each
// client, a cache that answers stale when the upstream is slow or down, one load at a time for each key, retries with
// a budget, a bulkhead and a circuit breaker.
//
// Read it in this order: main.go (settings and life cycle), service.go (the blocks and how they nest), upstream.go
// (one call to the API), handlers.go, problem.go and conn.go (HTTP), observe.go (metrics, traces and logs), standin.go (an API
// to play with).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// settings are what the flags say.
type settings struct {
	addr     string
	upstream string

	rate  int64
	burst int64

	ttl            time.Duration
	staleRefresh   time.Duration
	staleIfError   time.Duration
	notFoundTTL    time.Duration
	errorBackoff   time.Duration
	loadTimeout    time.Duration
	maxEntries     int
	attempts       int
	attemptTimeout time.Duration
	retryRatio     float64
	concurrency    int
	failureRatio   float64
	minCalls       int
	openFor        time.Duration
	maxBody        int64
	drainDelay     time.Duration
	drain          time.Duration
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("users", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` to serve on")
	f.StringVar(&s.upstream, "upstream", "", "base `URL` of the JSON API to proxy; empty starts a stand-in inside this process")
	f.Int64Var(&s.rate, "rate", 50, "requests per second that one client may make in the long run")
	f.Int64Var(&s.burst, "burst", 100, "requests that one client may make at once")
	f.DurationVar(&s.ttl, "ttl", 5*time.Second, "how long an answer is fresh")
	f.DurationVar(&s.staleRefresh, "stale-while-revalidate", 30*time.Second, "how long after that it is served while a fresh one is fetched in the background")
	f.DurationVar(&s.staleIfError, "stale-if-error", time.Hour, "how long after its freshness it is served when the upstream fails")
	f.DurationVar(&s.notFoundTTL, "not-found-ttl", 2*time.Second, "how long a missing user is remembered as missing")
	f.DurationVar(&s.errorBackoff, "error-backoff", time.Second, "longest pause before a key that failed is loaded again")
	f.DurationVar(&s.loadTimeout, "load-timeout", 3*time.Second, "bound on one load, all attempts together")
	f.IntVar(&s.maxEntries, "max-entries", 10_000, "answers kept in memory")
	f.IntVar(&s.attempts, "attempts", 3, "calls to the upstream per load, the first included")
	f.DurationVar(&s.attemptTimeout, "attempt-timeout", time.Second, "bound on one call to the upstream")
	f.Float64Var(&s.retryRatio, "retry-ratio", 0.1, "share of retries in the calls to the upstream")
	f.IntVar(&s.concurrency, "concurrency", 32, "calls to the upstream at once")
	f.Float64Var(&s.failureRatio, "failure-ratio", 0.5, "share of failed calls that opens the breaker")
	f.IntVar(&s.minCalls, "min-calls", 10, "calls in the window below which the breaker never opens")
	f.DurationVar(&s.openFor, "open-for", 2*time.Second, "how long the breaker refuses before it probes")
	f.Int64Var(&s.maxBody, "max-body", 1<<20, "bytes that an answer of the upstream may have")
	f.DurationVar(&s.drainDelay, "drain-delay", time.Second, "how long to go on serving after SIGTERM, so that load balancers see /readyz turn")
	f.DurationVar(&s.drain, "drain", 10*time.Second, "bound on the whole drain after SIGTERM")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return s, err
	} else if err != nil {
		return s, errUsage // the flag set has told what is wrong
	}
	switch { // what no block checks
	case f.NArg() > 0:
		return s, fmt.Errorf("users: unexpected argument %q", f.Arg(0))
	case s.maxBody < 1:
		return s, fmt.Errorf("users: -max-body is %d, but must be positive", s.maxBody)
	case s.drainDelay < 0 || s.drainDelay >= s.drain:
		return s, fmt.Errorf("users: -drain-delay is %v, but must be from 0 to less than -drain, which is %v", s.drainDelay, s.drain)
	}
	return s, nil
}

var errUsage = errors.New("users: wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// gcPercent is Go's GOGC, unless the environment has one. The heap of this service is so small that at full load it would
// be collected dozens of times a second; four times the usual garbage is still only some megabytes.
const gcPercent = 400

// run serves until ctx ends, then drains.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	slog.SetDefault(slog.New(withTraceIDs{slog.NewJSONHandler(stderr, nil)}))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}

	obs, err := observe()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, obs.shutdown(s.drain)) }()

	if s.upstream == "" {
		standin, err := startStandIn(obs.meters)
		if err != nil {
			return err
		}
		defer standin.Close()
		s.upstream = standin.URL()
	}

	service, err := newService(s, obs)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("users: -addr: %w", err)
	}
	server := newServer(service.handler(), s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(problems{listener}) }()
	welcome(stdout, listener.Addr().String(), s)
	slog.Info("users: serving", "addr", listener.Addr().String())

	select {
	case err := <-served:
		return fmt.Errorf("users: %w", err)
	case <-ctx.Done():
	}
	return drain(server, service, s)
}

// newServer returns a server whose clients can hold neither a connection nor the drain for long.
func newServer(h http.Handler, s settings) *http.Server {
	return &http.Server{
		Handler:        h,
		ReadTimeout:    5 * time.Second,
		WriteTimeout:   s.loadTimeout + 5*time.Second, // with -drain-delay less than -drain, so that nobody can hold up the drain
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 8 * maxHeaderFields, // beyond this net/http does not read on and closes the connection
		ErrorLog:       slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
}

// drain ends the service without failing a request. First it only says that it is going, by /readyz and by
// "Connection: close" in each answer, and keeps serving, because requests are on their way on connections it has
// already accepted. Then it stops listening, waits for what is in flight, and at last for loads in the background.
func drain(server *http.Server, service *service, s settings) error {
	slog.Info("users: draining")
	ctx, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	service.draining.Store(true)
	select {
	case <-time.After(s.drainDelay):
	case <-ctx.Done():
	}
	err := errors.Join(server.Shutdown(ctx), service.close(ctx))
	if err != nil {
		return fmt.Errorf("users: not drained within -drain: %w", errors.Join(err, server.Close()))
	}
	slog.Info("users: stopped")
	return nil
}

func welcome(w io.Writer, addr string, s settings) {
	fmt.Fprintf(w, `
  joist demo: http://%[1]s/users

  Three things to try:
    curl -i http://%[1]s/users          # twice: the second answer comes from the cache, see Age and Cache-Status
    curl -s -o /dev/null -w '%%{http_code} ' 'http://%[1]s/users?[1-%[2]d]'   # then 429: the limit for each client
    curl -s http://%[1]s/metrics | grep joist_      # what each block counted

  Stop it with Ctrl-C: it drains first.

`, addr, s.burst+50)
}
