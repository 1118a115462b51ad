// Package roguehttp has real servers that do what they should not, for the tests of HTTP clients: they reset, stall, break
// off, announce more than they send, refuse streams and say GOAWAY, because each writes down by hand what goes over the
// wire.
//
// [Serve] speaks HTTP/1.1 and [Serve2] unencrypted HTTP/2, both on 127.0.0.1. A [Watch] between the client's blocks and
// its transport sees that every body is closed. At the address of [Nobody] there is none.
package roguehttp
