package ratelimithttp_test

import (
	"net/http"
	"testing"

	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func TestClientIPIsTheAddressOfTheConnection(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:1234":              "192.0.2.7",
		"192.0.2.7:1":                 "192.0.2.7",
		"192.0.2.7":                   "192.0.2.7",
		"[::ffff:192.0.2.7]:1234":     "192.0.2.7",
		"::ffff:192.0.2.7":            "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:80":   "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:8080": "2001:db8:1:2::/64",
		"2001:db8:1:2::9":             "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:80":        "2001:db8:1:3::/64",
		"[fe80::1%eth0]:80":           "fe80::/64",
		"[fe80::1%eth1]:80":           "fe80::/64",
		"[::1]:80":                    "::/64",
		"":                            "",
		"@":                           "",
		"/run/app.sock":               "",
		"example.org:80":              "",
		"192.0.2.007:80":              "",
		"192.0.2.7:80:80":             "",
		"192.0.2.7:http":              "",
	} {
		r := &http.Request{
			RemoteAddr: remote,
			Header:     http.Header{"X-Forwarded-For": {"203.0.113.1"}, "Forwarded": {"for=203.0.113.1"}},
		}
		if got := ratelimithttp.ClientIP()(r); got != want {
			t.Errorf("the key of %q is %q, want %q", remote, got, want)
		}
	}
}

func FuzzClientIP(f *testing.F) {
	for _, seed := range []string{"192.0.2.7:1234", "[2001:db8::1]:80", "[fe80::1%eth0]:80", "@", "", ":0", "1.2.3.4", "[::ffff:1.2.3.4]:5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		key := ratelimithttp.ClientIP()(&http.Request{RemoteAddr: remote})
		again := ratelimithttp.ClientIP()(&http.Request{RemoteAddr: remote})
		if key != again || len(key) > len("ffff:ffff:ffff:ffff::/64") {
			t.Errorf("the key of %q is %q, then %q", remote, key, again)
		}
	})
}
