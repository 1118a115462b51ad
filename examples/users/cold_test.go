package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAThousandColdRequestsReachTheUpstreamOnce(t *testing.T) {
	const callers = 1000
	p := startService(t, "-ttl", "10m")
	transport := &http.Transport{MaxConnsPerHost: callers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	statuses := make([]int, callers)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			<-begin
			a, err := fetch(client, http.MethodGet, p.url+"/users", nil)
			if err != nil {
				t.Error(err)
			}
			statuses[i] = a.status
		})
	}
	close(begin)
	wg.Wait()
	for _, status := range statuses {
		if status != http.StatusOK {
			t.Fatalf("a caller got %d\n%s", status, p.stderr)
		}
	}
	if got := p.metric("users_standin_requests_total"); got != 1 {
		t.Fatalf("%v requests reached the upstream, want exactly 1", got)
	}
}

func TestTheUpstreamMaySpeakInItsOwnWay(t *testing.T) {
	cert := filepath.Join(t.TempDir(), "cert.pem")
	for _, tt := range []struct{ kind, proto string }{
		{"plain", "HTTP/1.1"}, {"tls", "HTTP/2.0"}, {"gzip", "HTTP/1.1"}, {"chunked", "HTTP/1.1"}, {"close", "HTTP/1.1"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			up := startUpstream(t, tt.kind, upstreamCertEnv+"="+cert)
			p := start(t, []string{serveEnv + "=1", "SSL_CERT_FILE=" + cert}, "-addr", "127.0.0.1:0", "-upstream", up.url,
				"-attempt-timeout", "20s", "-load-timeout", "60s")
			if a := p.get("/users", ""); a.status != http.StatusOK || a.body != `[{"id":1,"name":"Sample User 1"}]` {
				t.Fatalf("got %d %s\n%s", a.status, a.body, p.stderr)
			}
			for _, id := range []string{"1", "2"} {
				a := p.get("/users/"+id, "")
				if want := `{"id":` + id + `,"proto":"` + tt.proto + `"}`; a.status != http.StatusOK || a.body != want {
					t.Fatalf("got %d %s, want %s", a.status, a.body, want)
				}
			}
		})
	}
}

func TestAnUpstreamMustBeAURL(t *testing.T) {
	for _, bad := range []string{"ftp://example.com", "example.com", "http://", "http://a b/"} {
		err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-upstream", bad}, new(strings.Builder), new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), "-upstream") {
			t.Errorf("-upstream %q: %v", bad, err)
		}
	}
}
