package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// problems is a listener whose connections say as a problem what net/http says in plain text, before there is a request
// that a handler could answer: header fields of a size that it does not even read, and what is not HTTP.
type problems struct{ net.Listener }

// Accept implements net.Listener.
func (l problems) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return problemConn{tcp}, nil
	}
	return c, err
}

// problemConn has all methods of its connection, so that net/http can close one direction of it.
type problemConn struct{ *net.TCPConn }

// plainFields are the fields of the answers that net/http writes by itself, each in one Write. Should they change, the
// answers are plain again, and a test says so.
var plainFields = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

const statusLine = len("HTTP/1.1 400 ")

// Write implements net.Conn.
func (c problemConn) Write(p []byte) (int, error) {
	if len(p) > statusLine && (p[9] == '4' || p[9] == '5') && bytes.HasPrefix(p, []byte("HTTP/1.1 ")) {
		if line, _, plain := bytes.Cut(p, plainFields); plain && !bytes.Contains(line, []byte("\n")) {
			_, err := c.TCPConn.Write(problemAnswer(string(line[9:12])))
			return len(p), err
		}
	}
	return c.TCPConn.Write(p)
}

// problemAnswer is a whole answer, after which the connection is closed.
func problemAnswer(code string) []byte {
	p := problem{Detail: "The request cannot be read."}
	p.Status, _ = strconv.Atoi(code) // three digits of net/http's
	p.Title = http.StatusText(p.Status)
	if p.Status == http.StatusRequestHeaderFieldsTooLarge {
		p.Detail = headerFieldsTooLarge
	}
	body, _ := json.Marshal(p) // texts and a number
	return fmt.Appendf(nil, "HTTP/1.1 %s %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s\n",
		code, p.Title, problemType, len(body)+1, body)
}
