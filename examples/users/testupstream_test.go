package main

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	upstreamAddrEnv = "USERS_TEST_UPSTREAM_ADDR"   // where to listen, a free port if empty
	upstreamCertEnv = "USERS_TEST_UPSTREAM_CERT"   // where the tls kind writes its certificate
	bareAnswerEnv   = "USERS_TEST_UPSTREAM_ANSWER" // what the bare kind answers, in JSON
)

// The odd kind answers each of these users in a way of its own.
const (
	oddHTML     = 1
	oddHalfJSON = 2
	oddNothing  = 3
	oddHuge     = 4 // 10 MB
	oddHangUp   = 5
	oddWrong    = 6 // JSON, but a list
	oddError    = 7 // 500
	oddHang     = 8
)

// serveTestUpstream serves users as the given kind of API until the process is killed.
func serveTestUpstream(kind string) {
	addr := os.Getenv(upstreamAddrEnv)
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	u := &testUpstream{kind: kind, seen: make(map[string]int), released: make(chan struct{})}
	server := &http.Server{Handler: u, ReadHeaderTimeout: 5 * time.Second}
	switch kind {
	case "bare":
		s, err := parse(nil, io.Discard)
		if err != nil {
			panic(err)
		}
		server = newServer(bareHandler(os.Getenv(bareAnswerEnv)), s) // the same server: what is compared is the handlers
	case "close":
		server.SetKeepAlivesEnabled(false)
	case "tls":
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{selfSigned(os.Getenv(upstreamCertEnv))}}
		fmt.Printf("https://%s\n", listener.Addr())
		panic(server.ServeTLS(listener, "", ""))
	}
	fmt.Printf("http://%s\n", listener.Addr())
	panic(server.Serve(listener))
}

// bareHandler writes one answer, header fields and all: as little as a handler can do.
func bareHandler(encoded string) http.Handler {
	var a bareAnswer
	if err := json.Unmarshal([]byte(encoded), &a); err != nil {
		panic(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		maps.Copy(h, a.Header)
		_, _ = w.Write(a.Body)
	})
}

// bareAnswer is what the bare kind answers, whatever it is asked.
type bareAnswer struct {
	Header http.Header
	Body   []byte
}

type testUpstream struct {
	kind string
	mu   sync.Mutex
	seen map[string]int // requests by path

	release  sync.Once
	released chan struct{} // closed once the slow kind answers
}

// ServeHTTP answers /seen with the number of requests for users, all else by its kind.
func (u *testUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/go" {
		u.release.Do(func() { close(u.released) })
		return
	}
	u.mu.Lock()
	if r.URL.Path != "/seen" {
		u.seen["total"]++
		u.seen[r.URL.Path]++
	}
	total := u.seen["total"]
	u.mu.Unlock()
	if r.URL.Path == "/seen" {
		fmt.Fprint(w, total)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Proto", r.Proto)
	body := `[{"id":1,"name":"Sample User 1"}]`
	if id, one := strings.CutPrefix(r.URL.Path, "/users/"); one {
		body = fmt.Sprintf(`{"id":%s,"proto":%q}`, id, r.Proto)
	}
	switch u.kind {
	case "gzip":
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		fmt.Fprint(zip, body)
		zip.Close()
	case "chunked":
		for _, part := range strings.SplitAfter(body, ",") {
			fmt.Fprint(w, part)
			w.(http.Flusher).Flush()
		}
	case "slow":
		<-u.released
		fmt.Fprint(w, body)
	case "failing":
		http.Error(w, "failing", http.StatusServiceUnavailable)
	case "odd":
		u.odd(w, r, body)
	default:
		fmt.Fprint(w, body)
	}
}

func (u *testUpstream) odd(w http.ResponseWriter, r *http.Request, body string) {
	var id int
	fmt.Sscanf(r.URL.Path, "/users/%d", &id)
	switch id {
	case oddHTML:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>maintenance</html>")
	case oddHalfJSON:
		fmt.Fprint(w, body[:len(body)/2])
	case oddNothing:
	case oddHuge:
		fmt.Fprintf(w, `{"id":4,"name":"%s"}`, strings.Repeat("x", 10<<20))
	case oddHangUp:
		panic(http.ErrAbortHandler)
	case oddWrong:
		fmt.Fprint(w, "["+body+"]")
	case oddError:
		w.WriteHeader(http.StatusInternalServerError)
	case oddHang:
		<-r.Context().Done()
	default:
		fmt.Fprint(w, body)
	}
}

// selfSigned makes a certificate for 127.0.0.1 and writes it to a file that SSL_CERT_FILE can name.
func selfSigned(file string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
