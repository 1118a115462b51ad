package main

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The clients behave as a load balancer lets them: once /readyz is not 200 they open no connection and reuse none.
func TestSIGTERMUnderLoadAnswersEveryRequest(t *testing.T) {
	const clients, drainTime = 16, 10 * time.Second
	p := startService(t, "-drain-delay", "1s", "-drain", drainTime.String(), "-ttl", "20ms", "-stale-while-revalidate", "0")
	var (
		wg       sync.WaitGroup
		draining atomic.Bool
		answered atomic.Int64
		after    atomic.Int64
	)
	for range clients {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			for !draining.Load() {
				a, err := fetch(client, http.MethodGet, p.url+"/users/3", nil)
				if err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, `{"id":3,`) {
					t.Errorf("a request failed: %d %q %v", a.status, a.body, err)
					return
				}
				answered.Add(1)
				if a.last {
					after.Add(1)
				}
			}
		})
	}
	eventually(t, 10*time.Second, "load is on", func() bool { return answered.Load() > 500 })
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
