package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is three programs: the tests, the service, and an upstream. The latter two run as processes of their
// own, so that what is tested is what a user would run, over real sockets.
const (
	serveEnv    = "USERS_TEST_SERVE"
	upstreamEnv = "USERS_TEST_UPSTREAM"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(serveEnv) != "":
		main()
	case os.Getenv(upstreamEnv) != "":
		serveTestUpstream(os.Getenv(upstreamEnv))
	default:
		os.Exit(m.Run())
	}
}

// process is a running copy of the test binary.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string // without a path
	stderr *lockedBuffer
	exited chan error
}

var printedURL = regexp.MustCompile(`https?://[0-9.]+:[0-9]+`)

// start runs the test binary as another program and waits until it prints its URL.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe, args...), stderr: new(lockedBuffer), exited: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	urls := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url := printedURL.FindString(lines.Text()); url != "" {
				select {
				case urls <- url:
				default:
				}
			}
		}
		p.exited <- p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	select {
	case p.url = <-urls:
	case err := <-p.exited:
		p.exited <- err
		t.Fatalf("the process ended: %v\n%s", err, p.stderr)
	case <-time.After(patience):
		t.Fatalf("the process printed no URL\n%s", p.stderr)
	}
	return p
}

// patience is how long a test waits for what must come, on a machine that is busy with other work.
const patience = 60 * time.Second

// startService runs the service on a free port with limits that tests do not run into by chance, however slow the machine is.
func startService(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, []string{serveEnv + "=1"}, append([]string{
		"-addr", "127.0.0.1:0", "-rate", "1000000", "-burst", "1000000", "-attempt-timeout", "20s", "-load-timeout", "60s",
	}, args...)...)
}

// startUpstream runs a test upstream of the given kind, see serveTestUpstream.
func startUpstream(t *testing.T, kind string, env ...string) *process {
	t.Helper()
	return start(t, append(env, upstreamEnv+"="+kind))
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails when the process is gone, which is what is wanted
	p.wait()
}

// wait returns how the process ended.
func (p *process) wait() error {
	select {
	case err := <-p.exited:
		p.exited <- err
		return err
	case <-time.After(patience):
		p.t.Errorf("process %d does not end", p.cmd.Process.Pid)
		return nil
	}
}

func (p *process) terminate() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // the server closes the connection after it
}

// get asks once, over a connection of its own from the given loopback address ("" for any).
func (p *process) get(path, from string) answer {
	p.t.Helper()
	a, err := fetch(clientFrom(from), http.MethodGet, p.url+path, nil)
	if err != nil {
		p.t.Fatalf("GET %s: %v\n%s", path, err, p.stderr)
	}
	return a
}

func (p *process) metric(name string, labels ...string) float64 {
	p.t.Helper()
	return scraped(p.t, p.url, name, labels...)
}

// scraped sums a metric of a service over its series whose labels contain all of the given texts.
func scraped(t *testing.T, url, name string, labels ...string) float64 {
	t.Helper()
	a, err := fetch(clientFrom(""), http.MethodGet, url+"/metrics", nil)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("/metrics: %d %v", a.status, err)
	}
	var sum float64
	for line := range strings.Lines(a.body) {
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") || !containsAll(line, labels) {
			continue
		}
		v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:len(line)-1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}

func containsAll(s string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

func fetch(c *http.Client, method, url string, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, nil)
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), resp.Close}, err
}

func clientFrom(ip string) *http.Client {
	dialer := &net.Dialer{Timeout: patience}
	if ip != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		Timeout:   patience,
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Since(began) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
		<-tick.C
	}
	return time.Since(began)
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
