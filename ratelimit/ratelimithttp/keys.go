package ratelimithttp

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
)

// MaxKey is how many bytes of a key are passed to the taker as they are. A longer one is replaced by "#" and its SHA-512
// in hexadecimal, so that a client cannot fill the memory with the keys that it sends. That is longer than MaxKey, so no
// client can send the key of another in its place.
const MaxKey = 128

// bounded returns the key as the taker gets it.
func bounded(key string) string {
	if len(key) <= MaxKey {
		return key
	}
	sum := sha512.Sum512([]byte(key))
	b := make([]byte, 1, 1+2*len(sum))
	b[0] = '#'
	return string(hex.AppendEncode(b, sum[:]))
}

// Header returns a Key that is the value of a request's header field, of the first line if there are several, as
// [http.Header.Get] has it. A request without it has the empty key. It panics if name is no name of a field. It allocates
// nothing.
//
// A client writes what it likes into a field, a new value into each request if it helps. Use Header for what has been
// checked before, such as the identity that an authenticating proxy sets; otherwise put a limit by [ClientIP] around it.
// The proxy must replace the field and not add a line to it, because the first line would be the client's.
func Header(name string) func(*http.Request) string {
	if !isName(name) {
		panic(fmt.Sprintf("joist/ratelimithttp: Header needs the name of a field, but %q is none", name))
	}
	name = http.CanonicalHeaderKey(name)
	return func(r *http.Request) string {
		if name == "Host" {
			return r.Host // where net/http keeps it
		}
		if lines := r.Header[name]; len(lines) > 0 {
			return lines[0]
		}
		return ""
	}
}

// Cookie returns a Key that is the value of the first cookie of that name. A request without it has the empty key. It
// panics if name is no name of a cookie. What is said of [Header] about what clients write holds here too. It allocates
// what net/http does to parse cookies.
func Cookie(name string) func(*http.Request) string {
	if !isName(name) {
		panic(fmt.Sprintf("joist/ratelimithttp: Cookie needs the name of a cookie, but %q is none", name))
	}
	return func(r *http.Request) string {
		c, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		return c.Value
	}
}

// isName tells whether s is a token (RFC 9110, section 5.6.2), which names of fields and cookies are: a request never has
// another one, and all requests would share a bucket.
func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isToken(c) || c == ':' || c == '/' {
			return false
		}
	}
	return s != ""
}

// Pattern returns a Key that is the pattern of [http.ServeMux] that matched the request, such as "GET /users/{id}": one
// bucket for a route, whatever is in its wildcards. The mux sets it, so the middleware must be within the mux, around the
// handlers that are registered. Around the mux no request has a pattern yet, and all have the empty key. It allocates
// nothing.
func Pattern() func(*http.Request) string {
	return func(r *http.Request) string { return r.Pattern }
}

// Keys returns a Key that is made of several: requests share a bucket if all parts are the same. No part can be mistaken
// for another, whatever is in it. A part that is missing, that is empty, is a part like any other; if all are missing, the
// key is empty. It panics without parts and if one is nil. It costs the parts and up to 2 allocations.
//
//	Keys(Header("X-Tenant"), Pattern()) // a bucket for each tenant and route; requests without a tenant share one per route
func Keys(parts ...func(*http.Request) string) func(*http.Request) string {
	parts = given("Keys", parts)
	return func(r *http.Request) string {
		var buf [MaxKey]byte
		b, missing := buf[:0], true
		for _, part := range parts {
			value := part(r)
			missing = missing && value == ""
			b = strconv.AppendInt(b, int64(len(value)), 10)
			b = append(b, ':')
			b = append(b, value...)
		}
		if missing {
			return ""
		}
		return string(b)
	}
}

// FirstOf returns a Key that is the first of several that is not missing, that is, not empty, and tells which one it is:
// a value of one is never mistaken for that of another. If all are missing, the key is empty. It panics without
// alternatives and if one is nil. It costs the alternatives up to that one and 1 allocation.
//
//	FirstOf(Header("X-User"), ClientIP()) // a bucket for each user; for requests without one, for each address
//
// A client chooses among the alternatives by what it sends. That frees nobody for as long as the first ones are checked:
// see [Header].
func FirstOf(alternatives ...func(*http.Request) string) func(*http.Request) string {
	alternatives = given("FirstOf", alternatives)
	return func(r *http.Request) string {
		for i, alternative := range alternatives {
			if value := alternative(r); value != "" {
				return strconv.Itoa(i) + ":" + value
			}
		}
		return ""
	}
}

// given returns a copy of keys, of which there must be some.
func given(by string, keys []func(*http.Request) string) []func(*http.Request) string {
	if len(keys) == 0 {
		panic("joist/ratelimithttp: " + by + " needs keys, but there are none")
	}
	for _, key := range keys {
		if key == nil {
			panic("joist/ratelimithttp: " + by + " needs keys, but one is nil")
		}
	}
	return append([]func(*http.Request) string(nil), keys...)
}
