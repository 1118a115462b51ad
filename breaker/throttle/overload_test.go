package throttle_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker/throttle"
)

// traffic is what a client offered in a time, what it sent, and what was accepted of that.
type traffic struct{ offered, sent, accepted int }

// drive has a client call 100 times a second for a while. Each call is accepted with the probability of accepts.
func drive(ctx context.Context, th *throttle.Throttle, random *rand.Rand, d time.Duration, accepts func() bool) traffic {
	const rate = 100
	var seen traffic
	for range int(d.Seconds() * rate) {
		seen.offered++
		_ = th.Do(ctx, func(context.Context) error {
			seen.sent++
			if accepts() {
				seen.accepted++
				return nil
			}
			return errBusy
		})
		time.Sleep(time.Second / rate)
	}
	return seen
}

func seeded(th *throttle.Throttle) *rand.Rand {
	random := rand.New(rand.NewPCG(1, 2))
	throttle.Draw(th, random.Float64)
	return random
}

// perSecond accepts the first n calls of each second, as a dependency does that can do no more.
func perSecond(n int) func() bool {
	var second time.Time
	left := 0
	return func() bool {
		if now := time.Now().Truncate(time.Second); now != second {
			second, left = now, n
		}
		left--
		return left >= 0
	}
}

// A dependency with room for a part of the calls gets about K times that much, and goes on accepting all it has room for.
func TestADependencyThatAcceptsAShareIsSentAboutKTimesThat(t *testing.T) {
	for _, k := range []float64{1.1, 2, 4} {
		for _, room := range []int{5, 10, 20, 40, 100} {
			synctest.Test(t, func(t *testing.T) {
				th := must(throttle.New(throttle.Options{K: k}))
				random := seeded(th)
				accepts := perSecond(room)
				drive(t.Context(), th, random, 6*time.Minute, accepts)
				seen := drive(t.Context(), th, random, 2*time.Minute, accepts)
				sent, accepted := float64(seen.sent)/120, float64(seen.accepted)/120
				t.Logf("K = %.1f: offered 100/s, room for %3d/s: sent %5.1f/s, accepted %5.1f/s, %4.2f sent for each accepted",
					k, room, sent, accepted, sent/accepted)
				want := min(100, max(k*float64(room), 10)) // MaxReject lets 10 % go out in any case
				if math.Abs(sent-want) > 0.1*want+1 {
					t.Errorf("K = %v, room for %d/s: sent %.1f/s, want about %.1f/s", k, room, sent, want)
				}
				if accepted < 0.8*float64(room) {
					t.Errorf("K = %v: of the room for %d/s only %.1f/s was used", k, room, accepted)
				}
			})
		}
	}
}

func TestCallsGoOnWhileNothingIsAcceptedAndAllOfThemWithinTwoWindowsAfter(t *testing.T) {
	for _, maxReject := range []float64{0.8, 0.9, 0.95} {
		synctest.Test(t, func(t *testing.T) {
			th := must(throttle.New(throttle.Options{MaxReject: maxReject}))
			random := seeded(th)
			down := drive(t.Context(), th, random, 10*time.Minute, func() bool { return false })
			share := float64(down.sent) / float64(down.offered)
			if want := 1 - maxReject; share < 0.8*want || share > 1.3*want {
				t.Errorf("MaxReject %v: sent %.4f of the calls to a dependency that accepts none, want about %.4f", maxReject, share, want)
			}
			began, half := time.Now(), time.Duration(0)
			for th.Stats().Probability > 0 {
				if half == 0 && th.Stats().Probability <= 0.5 {
					half = time.Since(began)
				}
				drive(t.Context(), th, random, time.Second, func() bool { return true })
				if time.Since(began) > 10*time.Minute {
					t.Fatal("calls are still refused ten minutes after the dependency was well again")
				}
			}
			took := time.Since(began)
			t.Logf("MaxReject %.2f: %5.2f %% of the calls sent while none is accepted; half of them %v after all are, and all after %v", maxReject, 100*share, half, took)
			if maxReject == throttle.DefaultMaxReject && (half > throttle.DefaultWindow*3/2 || took > 2*throttle.DefaultWindow) {
				t.Errorf("the default lets half of the calls out after %v and all after %v, want one and a half windows and two at most", half, took)
			}
			if after := drive(t.Context(), th, random, 5*time.Minute, func() bool { return true }); after.sent != after.offered {
				t.Errorf("after it: %+v", after)
			}
		})
	}
}

func TestNothingIsRefusedForCallsThatHaveLeftTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := after(throttle.Options{Window: time.Minute}, 0, 100)
		throttle.Draw(th, refuseAll)
		time.Sleep(time.Minute - 1)
		if err := th.Do(t.Context(), accept); err == nil {
			t.Fatal("not refused before the window has gone by")
		}
		time.Sleep(time.Minute)
		if err := th.Do(t.Context(), accept); err != nil {
			t.Errorf("refused after it: %v", err)
		}
	})
}

func TestAThrottleMadeOutsideOfABubbleWorksInside(t *testing.T) {
	th := must(throttle.New(throttle.Options{}))
	throttle.Draw(th, refuseAll)
	synctest.Test(t, func(t *testing.T) {
		_ = th.Do(t.Context(), reject) // 26 years before the throttle was made
		if err := th.Do(t.Context(), accept); err == nil {
			t.Error("a call that was rejected did not count")
		}
	})
}
