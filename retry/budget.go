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

// Budget limits retries and hedges to a share of calls, so that they cannot multiply the load on a dependency that is
// already failing. Share one between all policies that target one dependency. It is safe for concurrent use.
//
// Each call (its first attempt) earns Ratio, each retry costs 1, and a first attempt is never refused. At any failure
// rate the load is at most 1 + Ratio + Burst/calls times the calls. What is not spent is kept up to Burst, or up to what
// the calls of about the last Window have earned, whichever is more. The idea is Finagle's RetryBudget; unlike there no
// minimum per second is added, which would break the bound for a service with few calls. A successful call costs such a
// budget nothing.
//
// [GRPCBudget], [AWSBudget] and [FinagleBudget] give budgets with the rules of those libraries instead, for those who move
// from one of them and want to keep its behaviour. Each call, and each success or failure, then takes the budget's lock for
// a moment.
//
// # Protocol
//
// What a kind of budget has in its books is its account; it is used under mu alone. An account learns of calls in one of
// two ways. A preset is told of each as it begins and ends. The others are told nothing, so that a success need not write:
// policies count calls in striped words that only grow, the budget knows the words, never the policies, and looks at them
// only when a retry asks. What the sum has grown by since the last look is what was earned. Looking, earning and spending
// are one critical section of mu, so that retries that ask at the same time cannot spend one token twice. A retry is paid
// before its wait, and gets the money back if the wait ends without an attempt. When a policy is collected, its final
// count moves into folded, under mu too, so that the sum does not change.
type Budget struct {
	name      string
	unlimited bool
	told      bool // of each call, success and failure: a preset
	clock     clock.Clock

	mu      sync.Mutex
	account account
	cells   map[*telemetry.Cell]struct{} // of the policies that are alive, if not told
	folded  int64                        // calls of policies that were collected
	calls   int64                        // all calls, as of the last look if not told
	spent   int64
	refused int64
}

// account is what a kind of budget does with what it learns. Prices are in a unit of its own; only available is in retries.
type account interface {
	// earn takes calls that have begun since the last time.
	earn(calls, now int64)
	// succeeded takes a call that succeeded, with the price of its successful attempt, 0 for a first one.
	succeeded(price int64)
	// failed takes an attempt that failed in a way that another attempt may help.
	failed()
	// draw takes the price of one retry, if it can be paid.
	draw(timedOut bool, now int64) (price int64, ok bool)
	// refund takes back the price of a retry that did not go out.
	refund(price, now int64)
	// available returns how many retries could be paid now.
	available(now int64) float64
}

// deaf is embedded by accounts, and does nothing about what they do not care for.
type deaf struct{}

func (deaf) earn(int64, int64) {}
func (deaf) succeeded(int64)   {}
func (deaf) failed()           {}

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
	return &Budget{
		name:    o.Name,
		clock:   clock.New(),
		account: newShare(o),
		cells:   make(map[*telemetry.Cell]struct{}),
	}
}

// BudgetStats is a snapshot of a [Budget].
type BudgetStats struct {
	Name      string  // as in BudgetOptions, or the preset's; empty for NoBudget
	Unlimited bool    // it is NoBudget; the other fields are 0
	Available float64 // retries that could go out now, if each failed as cheaply as can be
	Calls     int64   // calls that have begun
	Spent     int64   // retries and hedges that went out, or are in their wait
	Refused   int64   // retries and hedges that were refused
}

// Stats returns a snapshot.
func (b *Budget) Stats() BudgetStats {
	if b.unlimited {
		return BudgetStats{Unlimited: true}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.look()
	return BudgetStats{
		Name:      b.name,
		Available: b.account.available(now),
		Calls:     b.calls,
		Spent:     b.spent,
		Refused:   b.refused,
	}
}

// made tells whether b came from a constructor or is NoBudget: a zero Budget has no account.
func (b *Budget) made() bool { return b.unlimited || b.account != nil }

// join makes the calls that p counts earn. The budget holds p's cell and not p, which can be collected.
func (b *Budget) join(p *Policy) {
	if b.unlimited || b.told {
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

// draw pays for one attempt after the first, which goes out because another failed with err, or while others are under
// way (nil). It returns what that cost, and whether it could be paid.
func (b *Budget) draw(err error) (price int64, ok bool) {
	if b.unlimited {
		return 0, true
	}
	late := b.told && timedOut(err) // asked before the lock: it calls methods of err
	b.mu.Lock()
	defer b.mu.Unlock()
	price, ok = b.account.draw(late, b.look())
	if ok {
		b.spent++
	} else {
		b.refused++
	}
	return price, ok
}

// giveBack returns the price of an attempt that did not go out.
func (b *Budget) giveBack(price int64) {
	if b.unlimited {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.account.refund(price, b.look())
	b.spent--
}

// began tells a preset of a call.
func (b *Budget) began() {
	if !b.told {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.account.earn(1, b.clock.Now())
}

// succeeded tells a preset of a call that succeeded, and what its last attempt cost.
func (b *Budget) succeeded(price int64) {
	if !b.told {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.account.succeeded(price)
}

// failed tells a preset of an attempt that failed in a way that another attempt may help.
func (b *Budget) failed() {
	if !b.told {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.account.failed()
}

// look credits the calls since the last look, and returns the time. It is called with mu held.
func (b *Budget) look() (now int64) {
	now = b.clock.Now()
	if b.told {
		return now
	}
	total := b.folded
	for cell := range b.cells {
		total += cell.Total(wordStarted)
	}
	grown := max(total-b.calls, 0)
	b.calls += grown
	b.account.earn(grown, now)
	return now
}
