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
	p := startService(t, "-drain-delay", "500ms", "-drain", drainTime.String(), "-ttl", "20ms", "-stale-while-revalidate", "0")
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
	wg.Go(func() {
		client := clientFrom("")
		look := time.NewTicker(100 * time.Millisecond) // so that requests go on for a while after SIGTERM
		defer look.Stop()
		for !draining.Load() {
			<-look.C
			a, err := fetch(client, http.MethodGet, p.url+"/readyz", nil)
			if err != nil {
				t.Errorf("/readyz: %v", err)
				draining.Store(true)
			}
			if a.status == http.StatusServiceUnavailable {
				draining.Store(true)
			}
		}
	})
	eventually(t, 10*time.Second, "load is on", func() bool { return answered.Load() > 500 })
	signalled := time.Now()
	p.terminate()
	if err := p.wait(); err != nil {
		t.Fatalf("the process ended with %v\n%s", err, p.stderr)
	}
	took := time.Since(signalled)
	wg.Wait()
	t.Logf("%d requests answered, %d of them after SIGTERM; exit 0 after %v", answered.Load(), after.Load(), took)
	if after.Load() == 0 {
		t.Error("no request was made after SIGTERM: nothing was shown")
	}
	if took > drainTime {
		t.Errorf("the drain took %v of %v", took, drainTime)
	}
}
