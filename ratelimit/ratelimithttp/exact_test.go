package ratelimithttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

// drawLimit draws a limit with a small bucket. It has so few tokens that a bucket counts them without any rounding, and its
// times are multiples of a millisecond, so that none is so near a whole second that a rounded nanosecond would show.
func drawLimit(t *rapid.T) ratelimit.Limit {
	return ratelimit.Limit{
		Name:   rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "name"),
		Tokens: rapid.Int64Range(1, 16).Draw(t, "tokens"),
		Per:    time.Duration(rapid.Int64Range(1, 1e6).Draw(t, "per")) * time.Millisecond,
		Burst:  rapid.Int64Range(1, 5).Draw(t, "burst"),
	}
}

func drawLimits(t *rapid.T) []ratelimit.Limit {
	return rapid.SliceOfNDistinct(rapid.Custom(drawLimit), 1, 3, func(l ratelimit.Limit) string { return l.Name }).Draw(t, "limits")
}

func drawPauses(t *rapid.T) []time.Duration {
	var pauses []time.Duration
	for _, ms := range rapid.SliceOfN(rapid.Int64Range(0, 3000), 1, 10).Draw(t, "pauses") {
		pauses = append(pauses, time.Duration(ms)*time.Millisecond)
	}
	return pauses
}

// inBubble runs check in virtual time, and fails rt and not the bubble if it finds something, so that rapid can shrink.
func inBubble(t *testing.T, rt *rapid.T, check func(fail func(format string, args ...any))) {
	var fault string
	synctest.Test(t, func(*testing.T) {
		defer func() {
			if fault != "" {
				_ = recover() // of fail
			}
		}()
		check(func(format string, args ...any) {
			fault = fmt.Sprintf(format, args...)
			panic(fault)
		})
	})
	if fault != "" {
		rt.Fatal(fault)
	}
}

// untilRefused sends requests until one is refused.
func untilRefused(fail func(string, ...any), h http.Handler) *httptest.ResponseRecorder {
	for range 1000 {
		if w := serve(h, "192.0.2.1:1"); w.Code == http.StatusTooManyRequests {
			return w
		}
	}
	fail("1000 requests at once are allowed")
	return nil
}

// retryAfter returns the seconds of Retry-After, as a duration.
func retryAfter(fail func(string, ...any), w *httptest.ResponseRecorder) time.Duration {
	n, err := strconv.ParseInt(w.Header().Get("Retry-After"), 10, 64)
	if err != nil || n < 1 {
		fail("Retry-After is %q", w.Header().Get("Retry-After"))
	}
	return time.Duration(n) * time.Second
}

// told returns what RateLimit tells.
func told(fail func(string, ...any), w *httptest.ResponseRecorder) []ratelimithttp.ServiceLimit {
	limits, err := ratelimithttp.ParseLimits(w.Header())
	if err != nil || len(limits) == 0 {
		fail("RateLimit is %q: %v", w.Header()["Ratelimit"], err)
	}
	return limits
}

func TestAClientThatWaitsForRetryAfterIsAllowedAndNoSecondEarlier(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limits, pauses := drawLimits(rt), drawPauses(rt)
		inBubble(t, rt, func(fail func(string, ...any)) {
			k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})
			if err != nil {
				fail("%v", err)
			}
			h := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{Key: literal("k")})(hello)
			for _, pause := range pauses {
				time.Sleep(pause)
				w := untilRefused(fail, h)
				wait := retryAfter(fail, w)
				if state := told(fail, w)[0]; state.Remaining != 0 || state.Reset != wait {
					fail("Retry-After %v beside %+v", wait, state)
				}
				if wait > time.Second {
					time.Sleep(wait - time.Second)
					if w := serve(h, "192.0.2.1:1"); w.Code != http.StatusTooManyRequests || retryAfter(fail, w) != time.Second {
						fail("%d %v, one second before the end of %v", w.Code, w.Header(), wait)
					}
					wait = time.Second
				}
				time.Sleep(wait)
				if w := serve(h, "192.0.2.1:1"); w.Code != http.StatusOK {
					fail("%d %v at the end of Retry-After", w.Code, w.Header())
				}
			}
		})
	})
}

// A request that an outer limit refuses has not met the inner ones, so that each of them may still refuse it once.
func TestAClientThatWaitsIsRefusedOnceByEachMiddlewareAtMost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		layers := rapid.SliceOfN(rapid.Custom(drawLimit), 2, 4).Draw(rt, "layers")
		pauses := drawPauses(rt)
		inBubble(t, rt, func(fail func(string, ...any)) {
			depth := 0 // how many layers have let the request pass
			var h http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { depth++ })
			for _, limit := range layers {
				k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{limit}})
				if err != nil {
					fail("%v", err)
				}
				inner := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{Key: literal("k")})(h)
				h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { depth++; inner.ServeHTTP(w, r) })
			}
			for _, pause := range pauses {
				time.Sleep(pause)
				for refused := 0; ; {
					depth = 0
					w := serve(h, "192.0.2.1:1")
					if w.Code == http.StatusOK {
						break
					}
					if depth <= refused {
						fail("layer %d refuses after layer %d has, and its Retry-After", depth, refused)
					}
					refused = depth
					wait := retryAfter(fail, w)
					for _, state := range told(fail, w) {
						if state.Reset > wait {
							fail("Retry-After %v beside %v", wait, w.Header())
						}
					}
					time.Sleep(wait)
				}
			}
		})
	})
}

func TestWhatRemainsCanBeTakenAndThereIsMoreWhenTIsOverAndNoSecondEarlier(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit, pauses := drawLimit(rt), drawPauses(rt)
		inBubble(t, rt, func(fail func(string, ...any)) {
			k := newKeyed(t, limit)
			h := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{Key: literal("k")})(hello)
			for _, pause := range pauses {
				time.Sleep(pause)
				w := serve(h, "192.0.2.1:1")
				state := told(fail, w)[0]
				if w.Code == http.StatusOK && (!state.HasReset || state.Reset < time.Second) {
					fail("%+v of a bucket that is not full", state)
				}
				time.Sleep(state.Reset - time.Second)
				if res, _ := k.Take("k", 0); res.Remaining != state.Remaining {
					fail("%d remain a second before the end of t, after %+v", res.Remaining, state)
				}
				time.Sleep(time.Second)
				res, _ := k.Take("k", 0)
				if res.Remaining <= state.Remaining {
					fail("%d remain at the end of t, after %+v", res.Remaining, state)
				}
				for range res.Remaining {
					if w = serve(h, "192.0.2.1:1"); w.Code != http.StatusOK {
						fail("%d though %d remained", w.Code, res.Remaining)
					}
				}
				if left := told(fail, w)[0].Remaining; left != 0 || serve(h, "192.0.2.1:1").Code != http.StatusTooManyRequests {
					fail("r is %d after all that remained was taken, or one more is allowed", left)
				}
			}
		})
	})
}
