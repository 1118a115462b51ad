package roguehttp

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Request is a request as a server has read it.
type Request struct {
	Conn   int         // the connection that it came over, from 1
	Header http.Header // of HTTP/1.1 alone
	Method string      // of HTTP/1.1 alone
	Body   string
	// ContentLength is what the request announced, -1 if it came in chunks; of HTTP/1.1 alone.
	ContentLength int64
	Trailer       http.Header
}

// Server is a server whose script says what it does with each connection.
type Server struct {
	// URL is where it listens.
	URL string

	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	conns    []net.Conn
	requests []Request
}

// Serve starts a server that speaks HTTP/1.1. Each connection is given to script in a goroutine of its own, and closed
// when script returns. The server is closed at the end of the test, which waits for its goroutines.
func Serve(t testing.TB, script func(c *Conn)) *Server {
	t.Helper()
	return serve(t, func(s *Server, n int, conn net.Conn) {
		script(&Conn{Conn: conn, N: n, server: s, reader: bufio.NewReader(conn)})
	})
}

func serve(t testing.TB, handle func(s *Server, n int, conn net.Conn)) *Server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + listener.Addr().String(), listener: listener}
	s.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			n := s.opened(conn)
			if n == 0 {
				_ = conn.Close()
				return
			}
			s.running.Go(func() {
				defer conn.Close()
				handle(s, n, conn)
			})
		}
	})
	t.Cleanup(s.close)
	return s
}

// opened notes a connection and returns its number, 0 if the server is closed.
func (s *Server) opened(conn net.Conn) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0
	}
	s.conns = append(s.conns, conn)
	return len(s.conns)
}

func (s *Server) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *Server) got(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
}

// Requests returns the requests that were read so far, in their order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Connections returns how many connections were accepted.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Conn is a connection that speaks HTTP/1.1.
type Conn struct {
	net.Conn

	N int // which of the server's connections it is, from 1

	server *Server
	reader *bufio.Reader
}

// Head reads the header of the next request. It reports false when the client has gone.
func (c *Conn) Head() (*http.Request, bool) {
	r, err := http.ReadRequest(c.reader)
	return r, err == nil
}

// Body reads the rest of a request, whole, and notes the request.
func (c *Conn) Body(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	c.server.got(Request{
		Conn: c.N, Header: r.Header, Method: r.Method, Body: string(body), ContentLength: r.ContentLength, Trailer: r.Trailer,
	})
	return true
}

// Request reads the next request, and notes it.
func (c *Conn) Request() bool {
	r, ok := c.Head()
	return ok && c.Body(r)
}

// Send writes text as it is.
func (c *Conn) Send(text string) {
	_, _ = io.WriteString(c, text)
}

// Reset ends the connection so that the client gets a TCP reset.
func (c *Conn) Reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

// Stall does nothing until the client closes the connection.
func (c *Conn) Stall() {
	_, _ = io.Copy(io.Discard, c.reader)
}

// Fine answers one request after the other with 200 and the text "fine".
func (c *Conn) Fine() {
	for c.Request() {
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
	}
}

// Bytes returns n bytes that are not all the same.
func Bytes(n int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef+"), n/17+1)[:n]
}
