package main

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The clients behave as a load balancer lets them: once /readyz is not 200 they open no connection and reuse none. They
// try nothing again, so that a request that was lost is seen.
func TestSIGTERMUnderLoadAnswersEveryRequest(t *testing.T) {
	t.Parallel()
	const clients, drainTime = 16, 30 * time.Second
	p := startService(t, "-drain-delay", "4s", "-drain", drainTime.String(), "-ttl", "20ms", "-stale-while-revalidate", "0")
	var (
		wg       sync.WaitGroup
		draining atomic.Bool
		answered atomic.Int64
		after    atomic.Int64
	)
	for range clients {
		wg.Go(func() {
			c := dial(t, p)
			for !draining.Load() {
				c.send(t, plainRequest)
				a, err := c.receive()
				if err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, `{"id":3,`) {
					t.Errorf("a request failed: %d %q %v", a.status, a.body, err)
					return
				}
				answered.Add(1)
				if !a.last {
					continue
				}
				after.Add(1)
				_ = c.Close()
				if draining.Load() {
					return
				}
				c = dial(t, p)
			}
		})
	}
	for range 4 {
		dial(t, p) // never asks anything
		idle := dial(t, p)
		idle.send(t, plainRequest) // and this one nothing more
		if a, err := idle.receive(); err != nil || a.status != http.StatusOK {
			t.Fatalf("%d %v", a.status, err)
		}
	}
	eventually(t, patience, "load is on", func() bool { return answered.Load() > 500 })
	if a := p.get("/readyz", ""); a.status != http.StatusOK {
		t.Fatalf("/readyz before SIGTERM: %d", a.status)
	}
	signalled := time.Now()
	p.terminate()
	eventually(t, drainTime, "requests are made after SIGTERM", func() bool { return after.Load() >= clients })
	if a := p.get("/readyz", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("/readyz after SIGTERM: %d", a.status)
	}
	draining.Store(true)
	if err := p.wait(); err != nil {
		t.Fatalf("the process ended with %v\n%s", err, p.stderr)
	}
	took := time.Since(signalled)
	wg.Wait()
	t.Logf("%d requests answered, %d of them after SIGTERM; exit 0 after %v", answered.Load(), after.Load(), took)
	if took > drainTime {
		t.Errorf("the drain took %v of %v", took, drainTime)
	}
}

// A request that is at the upstream when the listener closes is answered in full, and ends the connection.
func TestARequestInFlightOutlivesTheListener(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, "slow")
	p := startService(t, "-upstream", up.url, "-drain-delay", "0", "-drain", "30s")
	c := dial(t, p)
	c.send(t, plainRequest)
	eventually(t, patience, "the request is at the upstream", func() bool { return up.get("/seen", "").body == "1" })
	p.terminate()
	eventually(t, patience, "the listener is closed", func() bool {
		_, err := fetch(clientFrom(""), http.MethodGet, p.url+"/readyz", nil)
		return err != nil
	})
	up.get("/go", "")
	if a, err := c.receive(); err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, `{"id":3,`) || !a.last {
		t.Errorf("got %d %q %v, last on its connection: %v", a.status, a.body, err, a.last)
	}
	if err := p.wait(); err != nil {
		t.Errorf("the process ended with %v\n%s", err, p.stderr)
	}
}

// Whoever stops in the middle of a request cannot hold up the drain beyond its bound.
func TestHalfARequestDoesNotHoldUpTheDrain(t *testing.T) {
	t.Parallel()
	p := startService(t, "-drain-delay", "0", "-drain", "30s") // beyond which it would not end well
	const half = "GET /users/3 HTTP/1.1\r\nHost: us"
	dial(t, p).send(t, half)
	dial(t, p).send(t, strings.Replace(plainRequest, "\r\n\r\n", "\r\nContent-Length: 100\r\n\r\n{", 1))
	p.get("/users", "")
	p.terminate()
	if err := p.wait(); err != nil {
		t.Fatalf("the process ended with %v\n%s", err, p.stderr)
	}
}
