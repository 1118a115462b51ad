package roguehttp

import (
	"net"
	"testing"
)

// Nobody returns an address of 127.0.0.1 that refuses connections until the end of the test. Its port is that of a
// connection's client, so that nobody else can begin to listen there, as on the port of a server that was closed.
func Nobody(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String()
}
