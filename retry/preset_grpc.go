package retry

import (
	"math"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
)

// The bounds of [GRPCBudget], those of gRPC's service config.
const (
	MaxGRPCTokens = 1000
	minTokenRatio = 0.001
)

// GRPCBudget returns a Budget with the rules of gRPC's retry throttling (gRFC A6, retryThrottling in a service config):
//
//   - it holds maxTokens at first and at most, and never less than 0;
//   - every attempt that fails takes 1, and every call that succeeds adds tokenRatio;
//   - retries and hedges go out only while it holds more than half of maxTokens. They cost nothing themselves.
//
// So retries stop when about tokenRatio failures come with every success, and come back by successes alone. As there, a
// failure that no retry can help does not count ([Permanent], not Retryable), and neither does one that is told after
// the call's ctx is over; one that asks for a longer wait than MaxHint, like a server's push-back, does.
//
// MaxTokens is from 1 to MaxGRPCTokens. TokenRatio must be at least 0.001 and finite; from its fourth decimal place on it is
// ignored. All faults are returned at once. Unlike a budget of [NewBudget] it does not bound the load at a given failure
// rate: half of maxTokens and whatever successes earn can be spent at any rate.
//
// The budget's Name in Stats is "grpc".
func GRPCBudget(maxTokens int, tokenRatio float64) (*Budget, error) {
	f := options.Check("joist/retry", "GRPCBudget")
	f.Require(maxTokens > 0 && maxTokens <= MaxGRPCTokens, "maxTokens", maxTokens, "must be from 1 to 1000")
	f.Require(tokenRatio >= minTokenRatio && !math.IsInf(tokenRatio, 1), "tokenRatio", tokenRatio, "must be at least 0.001 and finite")
	if err := f.Err(); err != nil {
		return nil, err
	}
	most := int64(maxTokens) * grpcToken
	return newPreset("grpc", &grpcTokens{
		most:   most,
		ratio:  int64(math.Floor(min(tokenRatio, MaxGRPCTokens)*grpcToken + 1e-6)), // 0.29 is a little less in binary
		tokens: most,
	}), nil
}

// newPreset returns a budget that is told of every call.
func newPreset(name string, a account) *Budget {
	return &Budget{name: name, told: true, clock: clock.New(), account: a}
}

// grpcToken is a token in thousandths: what tokenRatio has.
const grpcToken = 1000

// grpcTokens is the account of [GRPCBudget].
type grpcTokens struct {
	deaf

	most, ratio, tokens int64
}

func (g *grpcTokens) succeeded(int64) { g.tokens = min(g.tokens+g.ratio, g.most) }

func (g *grpcTokens) failed() { g.tokens = max(g.tokens-grpcToken, 0) }

func (g *grpcTokens) draw(bool, int64) (price int64, ok bool) { return 0, 2*g.tokens > g.most }

func (g *grpcTokens) refund(int64, int64) {}

// available returns how many attempts may fail before retries stop.
func (g *grpcTokens) available(int64) float64 {
	return max(float64(2*g.tokens-g.most)/(2*grpcToken), 0)
}
