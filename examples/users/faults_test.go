package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/retry"
)

func TestADeadUpstreamIsAnsweredStaleThenRefusedFastThenFreshAgain(t *testing.T) {
	const openFor = time.Second
	up := startUpstream(t, "plain")
	addr := strings.TrimPrefix(up.url, "http://")
	p := startService(t, "-upstream", up.url, "-ttl", "50ms", "-stale-while-revalidate", "1ms", "-stale-if-error", "1h",
		"-error-backoff", "200ms", "-open-for", openFor.String(), "-min-calls", "5")
	asked := time.Now()
	if a := p.get("/users", ""); a.status != http.StatusOK {
		t.Fatalf("warming up: %d", a.status)
	}
	up.kill()

	// A warm key: every answer stays 200, and says that it is stale.
	eventually(t, patience, "an answer is stale", func() bool { return stale(t, p.get("/users", "")) })
	eventually(t, patience, "an answer's Age is 2 s", func() bool {
		a := p.get("/users", "")
		if !stale(t, a) {
			t.Fatalf("an answer from a dead upstream is not marked stale: %v", a.header)
		}
		age, err := strconv.Atoi(a.header.Get("Age"))
		if err != nil || time.Duration(age)*time.Second > time.Since(asked) {
			t.Fatalf("Age %q after %v", a.header.Get("Age"), time.Since(asked))
		}
		return age >= 2
	})

	// Cold keys: 503 with Retry-After, and fast once the breaker is open.
	id := 0
	cold := func() (answer, time.Duration) {
		id++
		began := time.Now()
		a := p.get(fmt.Sprintf("/users/%d", id), "")
		return a, time.Since(began)
	}
	eventually(t, patience, "the breaker opens", func() bool {
		a, _ := cold()
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Fatalf("a cold key: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
		}
		return p.metric("joist_breaker_status", `joist_breaker_state="open"`) == 1
	})
	// How fast is the machine's, too: it may be busy with other work, and between two probes of the breaker all are fast.
	var times []time.Duration
	eventually(t, patience, "some cold keys are refused within 10 ms", func() bool {
		a, took := cold()
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("a cold key with an open breaker: %d %v", a.status, a.header)
		}
		times = append(times, took)
		slices.Sort(times)
		return len(times) > 20 && times[10] <= 10*time.Millisecond
	})
	t.Logf("a cold key with an open breaker is refused in %v (median of %d, connecting included)", times[len(times)/2], len(times))

	wantLog(t, p, up.url)

	// The upstream is back: so are fresh answers, on an idle machine within twice the time for which the breaker opens.
	startUpstream(t, "plain", upstreamAddrEnv+"="+addr)
	back := eventually(t, patience, "answers are fresh again", func() bool { return !stale(t, p.get("/users", "")) })
	t.Logf("fresh %v after the upstream was back (the breaker opens for %v)", back, openFor)
}

func TestAnswersAreStaleNoLongerThanAllowed(t *testing.T) {
	const staleIfError = 1500 * time.Millisecond
	up := startUpstream(t, "plain")
	p := startService(t, "-upstream", up.url, "-ttl", "100ms", "-stale-while-revalidate", "0", "-stale-if-error", staleIfError.String(),
		"-error-backoff", "100ms", "-attempts", "1")
	asked := time.Now()
	p.get("/users", "")
	loaded := time.Now()
	up.kill()
	var begun, over time.Time // of the first request after the answer's life
	eventually(t, patience, "the stale answer's life ends", func() bool {
		begun = time.Now()
		a := p.get("/users", "")
		over = time.Now()
		if a.status == http.StatusOK && begun.Sub(loaded) > 100*time.Millisecond+staleIfError {
			t.Fatalf("an answer, %v after it was loaded", begun.Sub(loaded))
		}
		return a.status == http.StatusServiceUnavailable
	})
	if least := 90*time.Millisecond + staleIfError; over.Sub(asked) < least { // -ttl less its jitter
		t.Errorf("the answer's life ended after %v, want at least %v", over.Sub(asked), least)
	}
}

// stale tells whether an answer, which must be 200, is marked stale.
func stale(t *testing.T, a answer) bool {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return strings.Contains(a.header.Get("Cache-Status"), "detail=stale")
}

func TestRetriesOfAFailingUpstreamStayWithinTheBudget(t *testing.T) {
	const loads, ratio = 1000, 0.1
	up := startUpstream(t, "failing")
	p := startService(t, "-upstream", up.url, "-retry-ratio", fmt.Sprint(ratio), "-failure-ratio", "1", "-min-calls", "1000000",
		"-attempts", "5", "-error-backoff", "1ms")
	client := &http.Client{}
	for id := 1; id <= loads; id++ {
		a, err := fetch(client, http.MethodGet, fmt.Sprintf("%s/users/%d", p.url, id), nil)
		if err != nil || a.status != http.StatusServiceUnavailable {
			t.Fatalf("load %d: %d %v", id, a.status, err)
		}
	}
	attempts, err := strconv.Atoi(up.get("/seen", "").body)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d attempts for %d loads: %.3f per load", attempts, loads, float64(attempts)/loads)
	if least := loads * (1 + ratio*0.9); float64(attempts) < least {
		t.Errorf("%d attempts: the budget allows more, so this shows nothing", attempts)
	}
	if limit := loads*(1+ratio) + retry.DefaultBurst; float64(attempts) > limit {
		t.Errorf("%d attempts are more than %v", attempts, limit)
	}
}

func TestAnswersThatCannotBeUsedAreProblemsAndAreNotKept(t *testing.T) {
	began := time.Now()
	up := startUpstream(t, "odd")
	p := startService(t, "-upstream", up.url, "-min-calls", "1000000", "-error-backoff", "1ms")
	impatient := startService(t, "-upstream", up.url, "-min-calls", "1000000", "-error-backoff", "1ms", "-attempt-timeout", "100ms", "-load-timeout", "300ms")
	for _, tt := range []struct {
		what string
		id   int
		want int
	}{
		{"HTML", oddHTML, http.StatusBadGateway},
		{"half a JSON", oddHalfJSON, http.StatusBadGateway},
		{"nothing", oddNothing, http.StatusBadGateway},
		{"10 MB", oddHuge, http.StatusBadGateway},
		{"a cut connection", oddHangUp, http.StatusServiceUnavailable},
		{"another JSON", oddWrong, http.StatusBadGateway},
		{"500", oddError, http.StatusBadGateway},
		{"a hang", oddHang, http.StatusGatewayTimeout},
	} {
		t.Run(tt.what, func(t *testing.T) {
			service := p
			if tt.id == oddHang {
				service = impatient
			}
			for range 2 {
				a := service.get(fmt.Sprintf("/users/%d", tt.id), "")
				if a.status != tt.want || a.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(a.body, `"status":`+strconv.Itoa(tt.want)) {
					t.Fatalf("got %d %s %s", a.status, a.header.Get("Content-Type"), a.body)
				}
			}
		})
	}
	if got := p.metric("joist_cache_requests_total", `joist_cache_result="hit"`); got != 0 {
		t.Errorf("%v answers came from the cache", got)
	}
	if a := p.get("/users/99", ""); a.status != http.StatusOK {
		t.Errorf("a good answer after them: %d", a.status)
	}
	lines := wantLog(t, p, up.url, "maintenance", "example.com", "Sample")
	if n, most := strings.Count(lines, `"cause":"bad answer"`), 1+int(time.Since(began)/logEvery); n < 1 || n > most {
		t.Errorf("%d lines about bad answers, want 1 in an interval, %d in all:\n%s", n, most, lines)
	}
	if !strings.Contains(lines, `"block":"upstream"`) {
		t.Errorf("no line names the block:\n%s", lines)
	}
}

// wantLog checks what a service has logged, its own lines and the library's: every warning names its block, its cause
// and its trace, comes once in ten seconds, and tells neither a path nor any of the secrets.
func wantLog(t *testing.T, p *process, secrets ...string) string {
	t.Helper()
	lines := p.stderr.String()
	seen := make(map[string]time.Time)
	own, library := 0, 0
	for text := range strings.Lines(lines) {
		var line struct {
			Time         time.Time
			Level, Msg   string
			Block, Cause string
			JoistName    string `json:"joist.name"`
			TraceID      string `json:"trace_id"`
			Status       int
			Route        string
			ErrorType    string `json:"error.type"`
			Suppressed   int
			SpanID       string `json:"span_id"`
			Addr         string // of the line that says that it serves
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("a line with something else: %v\n%s", err, text)
		}
		if line.Level == "INFO" {
			continue
		}
		what := line.Msg + "|" + line.JoistName // the library's message has the block's kind and the cause
		if line.JoistName != "" {
			library++
		} else {
			own++
			what += line.Block + "|" + line.Cause
			if line.Block == "" || line.Cause == "" || line.Status < 500 || !strings.HasPrefix(line.Route, "/users") {
				t.Errorf("incomplete: %s", text)
			}
		}
		if line.TraceID == "" {
			t.Errorf("no trace: %s", text)
		}
		if before, ok := seen[what]; ok && line.Time.Sub(before) < logEvery-time.Second { // a line may be late
			t.Errorf("%s again after %v:\n%s", what, line.Time.Sub(before), lines)
		}
		seen[what] = line.Time
		for _, secret := range append(secrets, "/users/1", "127.0.0.1", "refused\"") {
			if strings.Contains(text, secret) {
				t.Errorf("the log tells %q: %s", secret, text)
			}
		}
	}
	if own == 0 || library == 0 {
		t.Errorf("%d own warnings and %d of the library, want some of each:\n%s", own, library, lines)
	}
	return lines
}
