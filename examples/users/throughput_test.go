//go:build long

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The protected endpoint beside a bare handler that writes the same bytes: two processes with the same http.Server, whose
// time-outs are not what is compared, and the same client in turn.
func TestAnswersFromTheCacheCostLittleBesideABareHandler(t *testing.T) {
	const (
		connections = 64
		rounds      = 5
		each        = 2 * time.Second
		goal        = 0.85
	)
	ours := startService(t)
	want := ours.get("/users", "")
	if want.status != http.StatusOK {
		t.Fatalf("warming up: %d", want.status)
	}
	want = ours.get("/users", "") // one from the cache
	want.header.Del("Date")
	want.header.Del("Connection")
	encoded, err := json.Marshal(bareAnswer{want.header, []byte(want.body)})
	if err != nil {
		t.Fatal(err)
	}
	bare := startUpstream(t, "bare", bareAnswerEnv+"="+string(encoded))
	if got := bare.get("/users", ""); got.body != want.body || got.header.Get("Cache-Status") != want.header.Get("Cache-Status") {
		t.Fatalf("the bare handler writes other bytes: %v %q", got.header, got.body)
	}
	scraping := make(chan struct{})
	var scraper sync.WaitGroup
	scraper.Go(func() { // as a Prometheus server would, only more often
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				ours.get("/metrics", "")
			case <-scraping:
				return
			}
		}
	})
	rate := func(p *process) float64 { return requestsPerSecond(t, p.url, connections, each) }
	rate(ours) // both processes warm
	rate(bare)
	var a, b, ratios []float64
	for range rounds {
		x, y := rate(ours), rate(bare)
		a, b, ratios = append(a, x), append(b, y), append(ratios, x/y)
	}
	close(scraping)
	scraper.Wait()
	ratio := median(ratios)
	fmt.Fprintf(os.Stdout, "throughput users=%.0f/s bare=%.0f/s ratio=%.3f goal=%.2f\n", median(a), median(b), ratio, goal)
	if ratio < goal {
		t.Errorf("the ratio %.3f is below %.2f", ratio, goal)
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// requestsPerSecond keeps every connection busy with one request after the other. The client parses as little as it
// can, because it shares the processors with the server.
func requestsPerSecond(t *testing.T, url string, connections int, during time.Duration) float64 {
	t.Helper()
	addr := strings.TrimPrefix(url, "http://")
	request := []byte("GET /users HTTP/1.1\r\nHost: " + addr + "\r\n\r\n")
	counts := make([]int, connections)
	began := time.Now()
	until := began.Add(during)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReaderSize(conn, 16<<10)
			for time.Now().Before(until) {
				if _, err := conn.Write(request); err != nil {
					t.Error(err)
					return
				}
				if err := skipAnswer(in); err != nil {
					t.Error(err)
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / time.Since(began).Seconds()
}

// skipAnswer reads one answer of status 200 that has a Content-Length.
func skipAnswer(in *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first && !strings.HasPrefix(string(line), "HTTP/1.1 200"):
			return fmt.Errorf("answer %q", line)
		case len(line) == 2:
			if length < 0 {
				return fmt.Errorf("an answer without Content-Length")
			}
			_, err := in.Discard(length)
			return err
		case strings.HasPrefix(string(line), "Content-Length: "):
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[len("Content-Length: "):]))); err != nil {
				return err
			}
		}
	}
}
