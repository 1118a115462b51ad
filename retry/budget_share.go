package retry

import "math"

// share is the account of [NewBudget]: every call earns a share of a retry.
type share struct {
	deaf

	ratio   int64 // micro-tokens that a call earns
	burst   int64 // micro-tokens
	window  float64
	balance int64   // micro-tokens
	recent  float64 // calls of about the last window, as of last
	last    int64   // clock reading
}

// token is one retry, in the micro-tokens that balances are kept in: whole numbers, because ten times 0.1 must be 1.
const token = 1_000_000

// minRatio is the least Ratio that micro-tokens show well.
const minRatio = 0.0001

// maxGrowth bounds the calls that are credited at once, so that micro-tokens cannot overflow: above it any cap is reached.
const maxGrowth = 1 << 40

// newShare returns the account that o describes.
func newShare(o BudgetOptions) *share {
	if o.Ratio == 0 {
		o.Ratio = DefaultRatio
	}
	if o.Burst == 0 {
		o.Burst = DefaultBurst
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	burst := int64(max(o.Burst, 0)) * token
	return &share{
		ratio:   int64(math.Round(o.Ratio * token)),
		burst:   burst,
		window:  float64(o.Window),
		balance: burst,
	}
}

// earn credits calls and drops what has grown too old.
//
// The calls of the last window are an exponentially weighted sum, with the window as its time constant: one number
// instead of a ring of buckets, exact for a steady rate however seldom somebody looks. The calls are taken as spread evenly
// over the time since the last look.
func (s *share) earn(calls, now int64) {
	calls = min(calls, maxGrowth)
	if age := float64(now-s.last) / s.window; age > 0 {
		kept := math.Exp(-age)
		s.recent = s.recent*kept + float64(calls)*(1-kept)/age
		s.last = now
	} else {
		s.recent += float64(calls)
	}
	earned := min(s.recent, maxGrowth) * float64(s.ratio)
	limit := max(s.burst, token, int64(earned))
	s.balance = min(s.balance+calls*s.ratio, limit)
}

func (s *share) draw(bool, int64) (price int64, ok bool) {
	if s.balance < token {
		return 0, false
	}
	s.balance -= token
	return token, true
}

func (s *share) refund(price, _ int64) { s.balance += price }

func (s *share) available(int64) float64 { return float64(s.balance) / token }
