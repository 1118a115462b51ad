package ratelimithttp_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

// proxies are the trusted addresses of these tests. The second is 10.1.0.0/16 as IPv6 maps it.
var proxies = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("::ffff:10.1.0.0/112"),
	netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10"),
}

type forwardedCase struct {
	name  string
	lines []string
	want  string
}

func checkForwarded(t *testing.T, field string, cases []forwardedCase) {
	t.Helper()
	key := ratelimithttp.ClientIP(proxies...)
	for _, tt := range cases {
		r := &http.Request{RemoteAddr: "10.0.0.1:4711", Header: http.Header{field: tt.lines}}
		if got := key(r); got != tt.want {
			t.Errorf("%s: the key of %q is %q, want %q", tt.name, tt.lines, got, tt.want)
		}
	}
}

func TestOnlyWhatTrustedProxiesWroteIsTheClient(t *testing.T) {
	checkForwarded(t, "X-Forwarded-For", []forwardedCase{
		{"one proxy", []string{"203.0.113.7"}, "203.0.113.7"},
		{"a forged address to the left", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		{"a forged line", []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		{"forged proxies to the left", []string{"198.51.100.1, 10.0.0.9", "10.0.0.8, 203.0.113.7"}, "203.0.113.7"},
		{"junk to the left", []string{"\x00;;\"unknown", "203.0.113.7"}, "203.0.113.7"},
		{"two proxies", []string{"198.51.100.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		{"two proxies over three lines", []string{"198.51.100.1", "203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		{"only proxies", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"nothing", nil, "10.0.0.1"},
		{"a proxy that is mapped into IPv6, by address and by prefix", []string{"203.0.113.7, ::ffff:10.0.0.2, 10.1.2.3"}, "203.0.113.7"},
		{"a client that is mapped into IPv6", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"an IPv6 client", []string{"2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"},
		{"an IPv6 proxy", []string{"203.0.113.7,fd00::1"}, "203.0.113.7"},
		{"a proxy with a zone", []string{"203.0.113.7,fe80::1%eth0"}, "203.0.113.7"},
		{"ports", []string{"198.51.100.1, 203.0.113.7:80,10.0.0.2:65535"}, "203.0.113.7"},
		{"an IPv6 port", []string{"[2001:db8:1:2:3::4]:443"}, "2001:db8:1:2::/64"},
		{"brackets", []string{"[2001:db8:1:2:3::4]"}, "2001:db8:1:2::/64"},
		{"tabs", []string{"198.51.100.1,\t203.0.113.7 \t"}, "203.0.113.7"},
	})
}

func TestTheWalkStopsAtWhatItCannotParse(t *testing.T) {
	var cases []forwardedCase
	for _, element := range []string{
		"", " ", "unknown", "_hidden", "example.org", "203.0.113.007", "203.0.113.7:", "203.0.113.7:http", "203.0.113.7:123456",
		"203.0.113.7 203.0.113.8", "[203.0.113.7]", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "[2001:db8::1]:", "[]",
		"\"203.0.113.7\"", "203.0.113.7:_", "203.0.113.7:+1", "0x1.2.3.4", "2001:db8::1:2:3:4:5:6:7:8", "203.0.113.7;", "\xff",
	} {
		cases = append(
			cases,
			forwardedCase{"last", []string{"198.51.100.1, " + element}, "10.0.0.1"},
			forwardedCase{"behind a proxy", []string{"198.51.100.1, " + element + ", 10.0.0.2"}, "10.0.0.2"},
			forwardedCase{"a line of its own", []string{"198.51.100.1", element, "10.0.0.2"}, "10.0.0.2"},
		)
	}
	checkForwarded(t, "X-Forwarded-For", cases)
}

func TestForwardedIsReadAsRFC7239Says(t *testing.T) {
	checkForwarded(t, "Forwarded", []forwardedCase{
		{"a token", []string{"for=203.0.113.7"}, "203.0.113.7"},
		{"quoted", []string{`for="203.0.113.7"`}, "203.0.113.7"},
		{"a port", []string{`for="203.0.113.7:47011"`}, "203.0.113.7"},
		{"a hidden port", []string{`for="203.0.113.7:_pT-1"`}, "203.0.113.7"},
		{"IPv6", []string{`For="[2001:db8:1:2::17]"`}, "2001:db8:1:2::/64"},
		{"IPv6 and a port", []string{`FOR="[2001:db8:1:2::17]:4711"`}, "2001:db8:1:2::/64"},
		{"other parameters", []string{`by=10.0.0.2;proto=https ; for=203.0.113.7;host="a,b;for=c"`}, "203.0.113.7"},
		{"a chain", []string{"for=198.51.100.1, for=203.0.113.7", `for="10.0.0.2:80"`}, "203.0.113.7"},
		{"a quotation mark that the client leaves open", []string{`for=198.51.100.1;x=", for="203.0.113.7:80"`}, "203.0.113.7"},
		{"one in a line of its own", []string{`for="198.51.100.1`, "for=203.0.113.7"}, "203.0.113.7"},
		{"a comma in quotation marks", []string{`for=203.0.113.7;host=", for=198.51.100.1"`}, "203.0.113.7"},
	})
	var cases []forwardedCase
	for _, element := range []string{
		"", "for", "for=", `for=""`, `for="`, "=x;for=203.0.113.7", "for=203.0.113.7;=x", `for=203.0.113.7;host="`, `for=203.0.113.7;host="a`, "for=unknown", "for=_hidden", `for="_SEVKISEK"`, "proto=https", "for=203.0.113.7;for=203.0.113.8",
		`for="203.0.113.7`, `for=203.0.113.7"`, `for="203.0.113.7"x`, `for=203.0.113.7;host="\""`,
		`for=203.0.113.7;host="x\", for=198.51.100.1;y=\"z"`, `for=203.0.113.7;host="\", for=198.51.100.1, \""`, "=203.0.113.7", "for =203.0.113.7", "for= 203.0.113.7", "for=203.0.113.7;", ";for=203.0.113.7",
	} {
		cases = append(
			cases,
			forwardedCase{"last", []string{"for=198.51.100.1", element}, "10.0.0.1"},
			forwardedCase{"behind a proxy", []string{"for=198.51.100.1", element + ", for=10.0.0.2"}, "10.0.0.2"},
		)
	}
	checkForwarded(t, "Forwarded", cases)
}

func TestFieldsThatDisagreeAreNotTrusted(t *testing.T) {
	key := ratelimithttp.ClientIP(proxies...)
	for _, tt := range []struct{ plain, forwarded, want string }{
		{"203.0.113.7", "for=203.0.113.7", "203.0.113.7"},
		{"198.51.100.1", "for=203.0.113.7", "10.0.0.1"},
		{"203.0.113.7", "for=198.51.100.1", "10.0.0.1"},
		{"203.0.113.7", "for=unknown", "10.0.0.1"},
		{"203.0.113.7", "", "10.0.0.1"},
		{"10.0.0.1", "for=_x", "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {tt.plain}, "Forwarded": {tt.forwarded}}}
		if got := key(r); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

func TestWhoConnectsPastTheProxiesIsNotBelieved(t *testing.T) {
	key := ratelimithttp.ClientIP(proxies...)
	for remote, want := range map[string]string{
		"203.0.113.9:1": "203.0.113.9", "[2001:db8::1]:1": "2001:db8::/64", "10.2.0.1:1": "10.2.0.1", "@": "", "": "",
		"[::ffff:10.0.0.1]:1": "203.0.113.7", "[fe80::1%eth0]:1": "203.0.113.7",
	} {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}}
		if got := key(r); got != want {
			t.Errorf("the key of a connection from %q is %q, want %q", remote, got, want)
		}
	}
}

// Whatever a client sends, over however many lines, it has the bucket of its own address, and no other.
func TestAClientBehindAProxyCannotLeaveItsBucket(t *testing.T) {
	key := ratelimithttp.ClientIP(proxies...)
	piece := rapid.SampledFrom([]string{
		"10.0.0.2", "203.0.113.9", "for=", "for=203.0.113.9", `for="203.0.113.9"`, ",", ";", `"`, `\`, `\"`, " ", "unknown", "x=", "[", "]", ":", "=",
		"host=", "\x00", "é", "2001:db8::1", "[fd00::1]:80",
	})
	rapid.Check(t, func(t *rapid.T) {
		field, add := "X-Forwarded-For", "203.0.113.7"
		if rapid.Bool().Draw(t, "forwarded") {
			field = "Forwarded"
			add = rapid.SampledFrom([]string{`for=203.0.113.7`, `for="203.0.113.7:80";proto=http`, `host="a,b";for=203.0.113.7`}).Draw(t, "add")
		}
		var lines []string
		for range rapid.IntRange(0, 3).Draw(t, "lines") {
			lines = append(lines, strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "line"), ""))
		}
		if len(lines) > 0 && rapid.Bool().Draw(t, "same line") { // both are what proxies do
			lines[len(lines)-1] += ", " + add
		} else {
			lines = append(lines, add)
		}
		if rapid.Bool().Draw(t, "second proxy") {
			second := "10.0.0.2"
			if field == "Forwarded" {
				second = `for="10.0.0.2"`
			}
			lines[len(lines)-1] += "," + second
		}
		if got := key(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{field: lines}}); got != "203.0.113.7" {
			t.Fatalf("%s: %q: %q", field, lines, got)
		}
	})
}

func TestForgedChainsDoNotFreeAClientFromItsLimit(t *testing.T) {
	k := newKeyed(t, ratelimit.PerHour(2))
	h := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{Key: ratelimithttp.ClientIP(proxies...)})(hello)
	var codes []int
	for _, lines := range [][]string{
		{"203.0.113.7"}, {"198.51.100.1", "203.0.113.7"}, {"198.51.100.2, 10.0.0.5", "203.0.113.7"},
		{"198.51.100.3", "10.0.0.7", "198.51.100.4,203.0.113.7"}, {"unknown", ",,,", "203.0.113.7:1234"}, {"203.0.113.8"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = "10.0.0.1:1", lines
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		codes = append(codes, w.Code)
	}
	if want := []int{200, 200, 429, 429, 429, 200}; !slices.Equal(codes, want) || k.Stats().Keys != 2 {
		t.Errorf("status %v, want %v; %d keys", codes, want, k.Stats().Keys)
	}
}

func TestAClientWithASlash64HasOneBucket(t *testing.T) {
	h := limit(t, ratelimit.PerHour(2), hello)
	var codes []int
	for _, remote := range []string{
		"[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff:ffff:ffff:ffff]:1", "[2001:db8:1:2:8000::]:1", "[2001:db8:1:2::1%eth0]:1", "[2001:db8:1:3::1]:1",
	} {
		codes = append(codes, serve(h, remote).Code)
	}
	if want := []int{200, 200, 429, 429, 200}; !slices.Equal(codes, want) {
		t.Errorf("status %v, want %v", codes, want)
	}
}

func TestAPrefixOfAllMappedAddressesIsOneOfAllIPv4(t *testing.T) {
	for prefix, want := range map[string]string{
		"::ffff:0:0/96": "2001:db8::/64", "0.0.0.0/0": "2001:db8::/64", "::ffff:10.0.0.1/128": "203.0.113.7", "::ffff:10.0.0.2/128": "10.0.0.1",
		"::ffff:0:0/95": "10.0.0.1", "::/0": "10.0.0.1",
	} {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"2001:db8::1, 203.0.113.7"}}}
		if got := ratelimithttp.ClientIP(netip.MustParsePrefix(prefix))(r); got != want {
			t.Errorf("%s: %s, want %s", prefix, got, want)
		}
	}
}

func TestClientIPPanicsOnAPrefixThatIsNotValid(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it does not")
		}
	}()
	ratelimithttp.ClientIP(netip.Prefix{})
}

func FuzzClientIPBehindProxies(f *testing.F) {
	f.Add("203.0.113.7, 10.0.0.2", "", `for="[2001:db8::1]:80"`)
	f.Add("unknown", "10.0.0.3", `for=10.0.0.2;host="a\"b,c"`)
	key := ratelimithttp.ClientIP(proxies...)
	f.Fuzz(func(t *testing.T, first, second, forwarded string) {
		for _, h := range []http.Header{
			{"X-Forwarded-For": {first, second}}, {"Forwarded": {forwarded}},
			{"X-Forwarded-For": {first, second}, "Forwarded": {forwarded}},
		} {
			got := key(&http.Request{RemoteAddr: "10.0.0.1:1", Header: h})
			_, errAddr := netip.ParseAddr(got)
			prefix, errPrefix := netip.ParsePrefix(got)
			if errAddr != nil && (errPrefix != nil || prefix.Bits() != 64 || prefix != prefix.Masked()) {
				t.Errorf("%q: the key is %q", h, got)
			}
		}
	})
}
