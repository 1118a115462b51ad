package roguehttp

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"testing"
)

// Codes of HTTP/2 errors (RFC 9113, section 7).
const (
	NoError        = 0x0
	ProtocolError  = 0x1
	InternalError  = 0x2
	RefusedStream  = 0x7
	EnhanceCalm    = 0xb
	maxFrame       = 16 << 10
	preface        = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
)

// The types of frames that are read or written (RFC 9113, section 6).
const (
	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3
	frameSetting = 0x4
	framePing    = 0x6
	frameGoAway  = 0x7
)

// Conn2 is a connection that speaks HTTP/2.
type Conn2 struct {
	net.Conn

	N int // which of the server's connections it is, from 1
	// Cancelled are the streams that the client has reset, in their order.
	Cancelled []uint32

	server *Server
	reader *bufio.Reader
	bodies map[uint32][]byte
}

// Serve2 starts a server that speaks unencrypted HTTP/2, as [Serve] does.
func Serve2(t testing.TB, script func(c *Conn2)) *Server {
	t.Helper()
	return serve(t, func(s *Server, n int, conn net.Conn) { s.speak2(n, conn, script) })
}

// Speak2 is a server of connections that the caller has made, such as those of net.Pipe in virtual time. It returns when
// script does.
func (s *Server) Speak2(conn net.Conn, script func(c *Conn2)) {
	defer conn.Close()
	n := s.opened(conn)
	if n == 0 {
		return
	}
	// A pipe holds nothing. If what is written were not written by another goroutine, two that write would wait for each
	// other to read.
	out := make(chan []byte, 1000)
	defer close(out)
	go func() {
		for b := range out {
			_, _ = conn.Write(b)
		}
	}()
	s.speak2(n, queued{conn, out}, script)
}

type queued struct {
	net.Conn

	out chan<- []byte
}

// Write implements io.Writer.
func (q queued) Write(b []byte) (int, error) {
	q.out <- append([]byte(nil), b...)
	return len(b), nil
}

func (s *Server) speak2(n int, conn net.Conn, script func(c *Conn2)) {
	c := &Conn2{Conn: conn, N: n, server: s, reader: bufio.NewReader(conn), bodies: make(map[uint32][]byte)}
	if _, err := io.ReadFull(c.reader, make([]byte, len(preface))); err == nil {
		c.frame(frameSetting, 0, 0, nil)
		script(c)
	}
}

// Request reads the next request to its end, notes it, and returns its stream. It reports false when the client has gone.
// What comes in between is acknowledged.
func (c *Conn2) Request() (stream uint32, ok bool) {
	for {
		kind, flags, stream, payload, err := c.read()
		if err != nil {
			return 0, false
		}
		switch kind {
		case frameSetting:
			if flags&flagAck == 0 {
				c.frame(frameSetting, flagAck, 0, nil)
			}
		case framePing:
			if flags&flagAck == 0 {
				c.frame(framePing, flagAck, 0, payload)
			}
		case frameReset:
			c.Cancelled = append(c.Cancelled, stream)
		case frameHeaders, frameData:
			if kind == frameData {
				if flags&flagPadded != 0 {
					payload = payload[1 : len(payload)-int(payload[0])]
				}
				c.bodies[stream] = append(c.bodies[stream], payload...)
			}
			if flags&flagEndStream != 0 {
				c.server.got(Request{Conn: c.N, Body: string(c.bodies[stream])})
				delete(c.bodies, stream)
				return stream, true
			}
		}
	}
}

// Answer writes a whole answer.
func (c *Conn2) Answer(stream uint32, status int, body string) {
	c.Head(stream, status)
	c.frame(frameData, flagEndStream, stream, []byte(body))
}

// Head writes the header of an answer whose body has still to come.
func (c *Conn2) Head(stream uint32, status int) {
	text := strconv.Itoa(status)
	block := append([]byte{0x08, byte(len(text))}, text...) // :status, literal without indexing (RFC 7541, section 6.2.2)
	c.frame(frameHeaders, flagEndHeaders, stream, block)
}

// Part writes a part of a body that does not end with it.
func (c *Conn2) Part(stream uint32, body string) { c.frame(frameData, 0, stream, []byte(body)) }

// Reset ends a stream with an error.
func (c *Conn2) Reset(stream, code uint32) {
	c.frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

// GoAway says that streams above last were not processed and that no more are.
func (c *Conn2) GoAway(last, code uint32) {
	payload := binary.BigEndian.AppendUint32(nil, last)
	c.frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(payload, code))
}

// Stall answers no request until the client closes the connection, but goes on to read.
func (c *Conn2) Stall() {
	for ok := true; ok; _, ok = c.Request() {
	}
}

// Fine answers one request after the other with 200 and the text "fine".
func (c *Conn2) Fine() {
	for stream, ok := c.Request(); ok; stream, ok = c.Request() {
		c.Answer(stream, 200, "fine")
	}
}

func (c *Conn2) read() (kind, flags byte, stream uint32, payload []byte, err error) {
	var head [9]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return 0, 0, 0, nil, err
	}
	payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(c.reader, payload)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1), payload, err
}

func (c *Conn2) frame(kind, flags byte, stream uint32, payload []byte) {
	if len(payload) > maxFrame {
		panic("roguehttp: a frame of more than 16 KiB")
	}
	n := len(payload)
	b := binary.BigEndian.AppendUint32([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, stream)
	_, _ = c.Write(append(b, payload...))
}
