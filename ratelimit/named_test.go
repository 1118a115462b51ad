package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// A client that is told how soon there is more should not come back too early: of limits with as few tokens left the answer
// names the one that takes the longest to have more.
func TestOfLimitsWithAsFewTokensLeftTheSlowestIsNamed(t *testing.T) {
	fast, slow := ratelimit.PerSecond(10).WithBurst(4).Named("fast"), ratelimit.PerSecond(1).WithBurst(4).Named("slow")
	small := ratelimit.PerSecond(10).WithBurst(2).Named("small")
	shadow := ratelimit.PerDay(1).WithBurst(4).Named("shadow").Shadowed()
	type step struct {
		sleep time.Duration
		n     int64
		want  string
	}
	for name, tt := range map[string]struct {
		limits []ratelimit.Limit
		steps  []step
	}{
		"the slow one last":  {[]ratelimit.Limit{fast, slow}, []step{{0, 0, "fast"}, {0, 3, "slow"}, {0, 0, "slow"}, {0, 1, "slow"}, {0, 0, "slow"}}},
		"the slow one first": {[]ratelimit.Limit{slow, fast}, []step{{0, 0, "slow"}, {0, 3, "slow"}, {0, 0, "slow"}, {0, 1, "slow"}, {0, 0, "slow"}}},
		// What has come in of a token, and what is owed, counts: the first has one in 30 ms, the second in 130 ms.
		"not the lowest rate": {
			[]ratelimit.Limit{ratelimit.Every(300 * time.Millisecond).WithBurst(4).Named("first"), ratelimit.Every(100 * time.Millisecond).Named("second")},
			[]step{{0, 1, "second"}, {0, -3, ""}, {270 * time.Millisecond, 0, "second"}},
		},
		"in debt":                   {[]ratelimit.Limit{fast, slow}, []step{{0, 4, "slow"}, {0, -3, ""}, {0, 0, "slow"}}},
		"a full one never has more": {[]ratelimit.Limit{slow, small}, []step{{0, 2, "small"}, {200 * time.Millisecond, 0, "small"}, {1800 * time.Millisecond, 2, "small"}}},
		"a shadow decides nothing":  {[]ratelimit.Limit{fast, shadow}, []step{{0, 3, "fast"}, {0, 0, "fast"}}},
		"of several that are alike": {[]ratelimit.Limit{fast, slow, slow.Named("another")}, []step{{0, 3, "slow"}, {0, 0, "slow"}}},
		"nothing ever":              {[]ratelimit.Limit{fast, ratelimit.None().Named("none")}, []step{{0, -4, ""}, {0, 0, "none"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newWaiting(t, ratelimit.Options{}, tt.limits...)
				k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: tt.limits})
				if err != nil {
					t.Fatal(err)
				}
				for i, s := range tt.steps {
					time.Sleep(s.sleep)
					if s.n < 0 {
						if l.Charge(-s.n) != nil || k.Charge("a", -s.n) != nil {
							t.Fatal("not charged")
						}
						continue
					}
					r, err := l.Take(s.n)
					if err != nil || !r.Allowed || r.Limit.Name != s.want {
						t.Errorf("step %d of a Limiter: %+v, %v, want %s", i, r, err, s.want)
					}
					if of, err := k.Take("a", s.n); err != nil || of != r {
						t.Errorf("step %d of a Keyed: %+v, %v, want %+v", i, of, err, r)
					}
				}
			})
		})
	}
}
