package throttle_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/breaker/throttle"
)

// model is the algorithm with a list of all calls and their steps, instead of words and buckets.
type model struct {
	k, maxReject float64
	minCalls     int
	step         time.Duration
	began        time.Time
	calls        []modelCall
	turned       int64 // the step that the throttle's window was last turned to
}

type modelCall struct {
	step     int64
	accepted bool
}

func (m *model) now() int64 { return int64(time.Since(m.began) / m.step) }

func (m *model) count(accepted bool) {
	m.turned = m.now()
	m.calls = append(m.calls, modelCall{m.turned, accepted})
}

// probability is that of the window that ends with the given step.
func (m *model) probability(step int64) float64 {
	var requests, accepts float64
	for _, c := range m.calls {
		if step-c.step < 10 {
			requests++
			if c.accepted {
				accepts++
			}
		}
	}
	if requests < float64(m.minCalls) {
		return 0
	}
	return min(max(0, (requests-m.k*accepts)/(requests+1)), m.maxReject)
}

// refused says whether a call is refused for which drawn was drawn.
func (m *model) refused(drawn float64) bool {
	if m.probability(m.turned) == 0 { // the window is not turned for a call that nothing speaks against
		return false
	}
	m.turned = m.now()
	return drawn < m.probability(m.turned)
}

func TestEachStepIsTheFormulas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		window := time.Duration(rapid.IntRange(1, 200).Draw(rt, "window")) * time.Second
		o := throttle.Options{
			K:         rapid.SampledFrom([]float64{1, 1.5, 2, 10}).Draw(rt, "K"),
			Window:    window,
			MinCalls:  rapid.IntRange(1, 10).Draw(rt, "MinCalls"),
			MaxReject: rapid.SampledFrom([]float64{0.5, 0.9, 0.99}).Draw(rt, "MaxReject"),
		}
		synctest.Test(t, func(t *testing.T) {
			th := must(throttle.New(o))
			m := &model{k: o.K, maxReject: o.MaxReject, minCalls: o.MinCalls, step: window / 10, began: time.Now()}
			var drawn float64
			throttle.Draw(th, func() float64 { return drawn })
			for range rapid.IntRange(1, 60).Draw(rt, "calls") {
				time.Sleep(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 30, 100, 500, 1100}).Draw(rt, "pause")) * window / 1000)
				drawn = rapid.Float64Range(0, 0.999).Draw(rt, "drawn")
				accepted := rapid.IntRange(0, 2).Draw(rt, "accepted") == 0
				call := reject
				if accepted {
					call = accept
				}
				want := m.refused(drawn)
				if got := errors.Is(th.Do(t.Context(), call), throttle.ErrThrottled); got != want {
					rt.Fatalf("refused: %v, want %v; drawn %v of %v", got, want, drawn, m.probability(m.now()))
				}
				m.count(accepted && !want)
				if rapid.Bool().Draw(rt, "look") {
					m.turned = m.now()
					if got, want := th.Stats().Probability, m.probability(m.turned); got != want {
						rt.Fatalf("the reject probability is %v, want %v", got, want)
					}
				}
			}
		})
	})
}

func TestNothingIsRefusedWhileEnoughIsAccepted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		th := must(throttle.New(throttle.Options{K: 2}))
		throttle.Draw(th, refuseAll)
		accepted, rejected := 0, 0
		for range 200 {
			call := reject
			if rejected >= accepted || rapid.Bool().Draw(rt, "accepted") {
				call = accept
				accepted++
			} else {
				rejected++
			}
			if err := th.Do(t.Context(), call); errors.Is(err, throttle.ErrThrottled) {
				rt.Fatalf("refused after %d were accepted and %d rejected", accepted, rejected)
			}
		}
	})
}
