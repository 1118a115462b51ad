package breakerhttp

import (
	"net/url"
	"testing"
)

func TestAHostIsNameAndPort(t *testing.T) {
	for text, want := range map[string]string{
		"https://example.org/a":     "example.org",
		"https://example.org:443/a": "example.org",
		"https://example.org:/":     "example.org",
		"https://example.org:8443/": "example.org:8443",
		"https://EXAMPLE.org":       "example.org",
		"http://example.org/":       "example.org:80",
		"http://example.org:80/":    "example.org:80",
		"http://example.org:443/":   "example.org:443",
		"http://example.org:/":      "example.org:80",
		"http://[::1]/":             "[::1]:80",
		"https://[::1]:443/":        "[::1]",
		"http://127.0.0.1:8080/x":   "127.0.0.1:8080",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := hostOf(u); got != want {
			t.Errorf("%s is host %q, want %q", text, got, want)
		}
	}
}
