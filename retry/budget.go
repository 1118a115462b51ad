package retry

import (
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// What the zero [BudgetOptions] means.
const (
	DefaultRatio  = 0.1
	DefaultBurst  = 10
	DefaultWindow = 10 * time.Second
)

// NoBurst as [BudgetOptions].Burst gives a budget that is empty at first: calls must earn every retry.
const NoBurst = -1

// NoBudget as [Options].Budget lets every retry go out. The load on a dependency that fails is then MaxAttempts times
// the normal one, so leave it to work that happens seldom, such as a start-up.
var NoBudget = &Budget{unlimited: true}

// BudgetOptions configures a [Budget]. The zero value is valid: 10 %, a burst of 10, a window of 10 s.
type BudgetOptions struct {
	// Name tells budgets apart in a debugger and in Stats. At most 128 bytes; empty is "default". A budget has no
	// instruments of its own: what it refuses shows in joist.retry.calls of its policies, as outcome budget.
	Name string

	// Ratio is how many retries each call earns: 0.1 lets the load on the dependency grow by 10 %. From 0.0001 to 1;
	// 0 is DefaultRatio. To lift the limit use NoBudget instead of a Budget.
	Ratio float64

	// Burst is how many retries may go out before any call has earned one, and how many a quiet service may save up.
	// 0 is DefaultBurst, NoBurst is none.
	Burst int

	// Window is how long what was earned above Burst can be spent: the budget never holds more than the calls of about
	// the last Window have earned. It must not be negative; 0 is DefaultWindow.
	Window time.Duration
}

// Budget limits retries to a share of calls, so that retries cannot multiply the load on a dependency that is already
// failing. Share one between all policies that target one dependency.
//
// Each call (its first attempt) earns Ratio, each retry costs 1, and a first attempt is never refused. At any failure
// rate the load is at most 1 + Ratio + Burst/calls times the calls. What is not spent is kept up to Burst, or up to what
// the calls of about the last Window have earned, whichever is more. The idea is Finagle's RetryBudget; unlike there no
// minimum per second is added, which would break the bound for a service with few calls.
//
// A successful call costs a budget nothing. It is safe for concurrent use.
//
// # Protocol
//
// Policies count calls in striped words that only grow. The budget knows the words, never the policies, and looks at
// them only when a retry asks: what the sum has grown by since the last look is what was earned. Looking, earning and
// spending are one critical section of mu, so that retries that ask at the same time cannot spend one token twice. A
// token is taken before the wait, and given back if the wait ends without an attempt. When a policy is collected, its
// final count moves into folded, under mu too, so that the sum does not change.
type Budget struct {
	name      string
	unlimited bool
	ratio     int64 // micro-tokens that a call earns
	burst     int64 // micro-tokens
	window    float64
	clock     clock.Clock

	mu      sync.Mutex
	cells   map[*telemetry.Cell]struct{} // of the policies that are alive
	folded  int64                        // calls of policies that were collected
	calls   int64                        // all calls as of the last look
	recent  float64                      // calls of about the last window, as of the last look
	looked  int64                        // clock reading of the last look
	balance int64                        // micro-tokens
	spent   int64
	refused int64
}

// token is one retry, in the micro-tokens that balances are kept in: whole numbers, because ten times 0.1 must be 1.
const token = 1_000_000

// minRatio is the least Ratio that micro-tokens show well.
const minRatio = 0.0001

// NewBudget returns a Budget, or all faults of o joined.
func NewBudget(o BudgetOptions) (*Budget, error) {
	f := options.Check("joist/retry", "BudgetOptions")
	f.Name(o.Name)
	f.Require(o.Ratio == 0 || o.Ratio >= minRatio && o.Ratio <= 1, "Ratio", o.Ratio, "must be from 0.0001 to 1, or 0 for the default")
	f.Require(o.Burst >= NoBurst && o.Burst <= math.MaxInt32, "Burst", o.Burst, "must not be negative (NoBurst is -1) nor above 2147483647")
	f.Require(o.Window >= 0, "Window", o.Window, "must not be negative")
	if err := f.Err(); err != nil {
		return nil, err
	}
	return newBudget(o), nil
}

// newBudget makes a budget of options that were checked.
func newBudget(o BudgetOptions) *Budget {
	if o.Name == "" {
		o.Name = telemetry.DefaultName
	}
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
	return &Budget{
		name:    o.Name,
		ratio:   int64(math.Round(o.Ratio * token)),
		burst:   burst,
		window:  float64(o.Window),
		clock:   clock.New(),
		cells:   make(map[*telemetry.Cell]struct{}),
		balance: burst,
	}
}

// BudgetStats is a snapshot of a [Budget].
type BudgetStats struct {
	Name      string  // as in BudgetOptions; empty for NoBudget
	Unlimited bool    // it is NoBudget; the other fields are 0
	Available float64 // retries that could go out now
	Calls     int64   // calls that have earned
	Spent     int64   // retries that went out
	Refused   int64   // retries that were refused
}

// Stats returns a snapshot.
func (b *Budget) Stats() BudgetStats {
	if b.unlimited {
		return BudgetStats{Unlimited: true}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look()
	return BudgetStats{
		Name:      b.name,
		Available: float64(b.balance) / token,
		Calls:     b.calls,
		Spent:     b.spent,
		Refused:   b.refused,
	}
}

// made tells whether b came from NewBudget or is NoBudget: a zero Budget would never let a retry out.
func (b *Budget) made() bool { return b.unlimited || b.cells != nil }

// join makes the calls that p counts earn. The budget holds p's cell and not p, which can be collected.
func (b *Budget) join(p *Policy) {
	if b.unlimited {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cells[p.cell] = struct{}{}
	runtime.AddCleanup(p, b.leave, p.cell)
}

func (b *Budget) leave(cell *telemetry.Cell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.cells, cell)
	b.folded += cell.Total(wordStarted)
}

// draw takes a token for one retry, if there is one.
func (b *Budget) draw() bool {
	if b.unlimited {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look()
	if b.balance < token {
		b.refused++
		return false
	}
	b.balance -= token
	b.spent++
	return true
}

// giveBack returns the token of a retry that did not go out.
func (b *Budget) giveBack() {
	if b.unlimited {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.balance += token
	b.spent--
}

// maxGrowth bounds the calls that one look credits, so that micro-tokens cannot overflow: above it any cap is reached.
const maxGrowth = 1 << 40

// look credits the calls since the last look and drops what has grown too old. It is called with mu held.
//
// The calls of the last window are an exponentially weighted sum, with the window as its time constant: one number
// instead of a ring of buckets, exact for a steady rate however seldom somebody looks. Calls since the last look are
// taken as spread evenly over that time.
func (b *Budget) look() {
	total := b.folded
	for cell := range b.cells {
		total += cell.Total(wordStarted)
	}
	grown := min(max(total-b.calls, 0), maxGrowth)
	b.calls = max(total, b.calls)

	now := b.clock.Now()
	if age := float64(now-b.looked) / b.window; age > 0 {
		kept := math.Exp(-age)
		b.recent = b.recent*kept + float64(grown)*(1-kept)/age
		b.looked = now
	} else {
		b.recent += float64(grown)
	}
	earned := min(b.recent, maxGrowth) * float64(b.ratio)
	limit := max(b.burst, token, int64(earned))
	b.balance = min(b.balance+grown*b.ratio, limit)
}
