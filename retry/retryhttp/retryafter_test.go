package retryhttp

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfterIsReadInAllItsForms(t *testing.T) {
	now := time.Date(1994, time.November, 6, 8, 49, 7, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"120":                            2 * time.Minute,
		"007":                            7 * time.Second,
		"Sun, 06 Nov 1994 08:49:37 GMT":  30 * time.Second, // IMF-fixdate
		"Sunday, 06-Nov-94 08:49:37 GMT": 30 * time.Second, // RFC 850
		"Sun Nov  6 08:49:37 1994":       30 * time.Second, // asctime
		"Sun, 06 Nov 1994 08:49:00 GMT":  0,                // past
		"-5":                             0,
		"+5":                             0,
		"1.5":                            0,
		"5 s":                            0,
		"soon":                           0,
		"9223372036":                     9223372036 * time.Second,
		"9223372037":                     math.MaxInt64,
		"99999999999999999999999999":     math.MaxInt64,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q gives %v, want %v", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sun, 06 Nov 1994 08:49:37 GMT")
	f.Fuzz(func(t *testing.T, value string) {
		if d := retryAfter(http.Header{"Retry-After": {value}}, time.Unix(0, 0)); d < 0 {
			t.Errorf("%q gives %v", value, d)
		}
	})
}

func TestOnlyRequestsThatAreSafeToRepeatAreRepeated(t *testing.T) {
	stream := io.NopCloser(strings.NewReader("x"))
	withKey := http.Header{"Idempotency-Key": {"7"}}
	again := func(r *http.Request) *http.Request {
		r.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
		return r
	}
	for _, c := range []struct {
		name string
		req  *http.Request
		want bool
	}{
		{"the zero method is GET", &http.Request{}, true},
		{"GET", &http.Request{Method: "GET"}, true},
		{"HEAD", &http.Request{Method: "HEAD"}, true},
		{"OPTIONS", &http.Request{Method: "OPTIONS"}, true},
		{"TRACE", &http.Request{Method: "TRACE"}, true},
		{"PUT", &http.Request{Method: "PUT"}, true},
		{"DELETE", &http.Request{Method: "DELETE"}, true},
		{"POST", &http.Request{Method: "POST"}, false},
		{"PATCH", &http.Request{Method: "PATCH"}, false},
		{"CONNECT", &http.Request{Method: "CONNECT"}, false},
		{"get is another method", &http.Request{Method: "get"}, false},
		{"POST with a key", &http.Request{Method: "POST", Header: withKey}, true},
		{"POST with net/http's other field", &http.Request{Method: "POST", Header: http.Header{"X-Idempotency-Key": {"7"}}}, true},
		{"POST with an entry that is not sent", &http.Request{Method: "POST", Header: http.Header{"Idempotency-Key": {}}}, true},
		{"POST with a nil entry", &http.Request{Method: "POST", Header: http.Header{"X-Idempotency-Key": nil}}, true},
		{"POST with an empty key", &http.Request{Method: "POST", Header: http.Header{"Idempotency-Key": {""}}}, false},
		{"PUT with a body that is gone once read", &http.Request{Method: "PUT", Body: stream}, false},
		{"PUT with a body to be had again", again(&http.Request{Method: "PUT", Body: stream}), true},
		{"PUT with NoBody", &http.Request{Method: "PUT", Body: http.NoBody}, true},
	} {
		if got := replayable(c.req) && idempotent(c.req); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
