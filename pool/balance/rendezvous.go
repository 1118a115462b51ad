package balance

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// DefaultMaxLoad is the MaxLoad of the zero [RendezvousOptions].
const DefaultMaxLoad = 1.25

const maxMaxLoad = 1000

// RendezvousOptions configure a [Rendezvous].
type RendezvousOptions[E comparable] struct {
	// Name tells rendezvous apart in errors and metrics: the dependency that the endpoints serve, never an endpoint. At
	// most 128 bytes; "" is "default".
	Name string

	// Endpoints are what keys are spread over. At most 65 536, each of them once. None: every pick is refused until
	// [Rendezvous.SetEndpoints] brings some.
	Endpoints []E

	// ID names an endpoint. Names decide which keys an endpoint gets: processes that should agree must use the same ones,
	// and an endpoint that is replaced under the same name gets the same keys. Two of one name get the same keys, and the
	// first of them is picked. nil is the endpoint's own text, for endpoints that are strings or integers; it is required
	// for all others.
	ID func(E) string

	// MaxLoad bounds the calls in flight of one endpoint, as a multiple of the mean of all, from 1.01 to 1000. 0 is 1.25;
	// [Off] sets no bound.
	MaxLoad float64

	// IsFailure tells whether an error counts as a failure of the call, in the metrics alone. nil: each does but those
	// that [Options].IsFailure is not asked about.
	IsFailure func(error) bool

	// MeterProvider makes the instruments; nil is the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider is accepted as in all blocks. A rendezvous opens no spans: a refusal is an event on its caller's.
	TracerProvider trace.TracerProvider
}

// Rendezvous picks the endpoint that a key belongs to: the one whose name and the key together have the highest hash. When
// an endpoint leaves, its keys alone move, to all the others alike; when one joins, it takes its share from all alike. It
// is made with [NewRendezvous]; the zero Rendezvous is not usable. All methods are safe for concurrent use.
//
// An endpoint that has MaxLoad times the mean of all calls in flight is passed over, and the key goes to the next by
// its hash. It ejects nothing: an endpoint that holds a shard cannot be replaced by one that does not. Where any can
// serve any key, as before a cache, give Pick the failed ones to exclude.
//
// A look-up hashes the key once and compares as many numbers as there are endpoints: up to some hundreds that is quicker
// than a ring of points, and exact. The hash is the same on all machines and in all versions of joist.
type Rendezvous[E comparable] struct {
	book
	id      func(E) string
	maxLoad float64 // Off: no bound
	members atomic.Pointer[[]*endpoint[E]]
	total   atomic.Int64 // calls in flight, while there is a bound
	mu      sync.Mutex   // of SetEndpoints
}

// NewRendezvous returns a Rendezvous, or an error that tells every fault of o.
func NewRendezvous[E comparable](o RendezvousOptions[E]) (*Rendezvous[E], error) {
	f := options.Check("joist/balance", "RendezvousOptions")
	f.Name(o.Name)
	checkEndpoints(f, o.Endpoints)
	f.Require(o.MaxLoad == 0 || o.MaxLoad == Off || o.MaxLoad >= 1.01 && o.MaxLoad <= maxMaxLoad, "MaxLoad", o.MaxLoad,
		"must be from 1.01 to 1000, or Off (0 is the default)")
	if o.ID == nil {
		kind := reflect.TypeFor[E]().Kind()
		named := kind == reflect.String || kind >= reflect.Int && kind <= reflect.Uint64
		f.Require(named, "ID", "nil", "must be given for endpoints that are neither strings nor integers")
		o.ID = func(e E) string { return fmt.Sprint(e) }
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	r := &Rendezvous[E]{
		book:    book{name: cmp.Or(o.Name, telemetry.DefaultName), isFailure: o.IsFailure, cell: telemetry.NewCell(words)},
		id:      o.ID,
		maxLoad: cmp.Or(o.MaxLoad, DefaultMaxLoad),
	}
	r.replace(o.Endpoints)
	observe(r, &r.book, o.MeterProvider, (*Rendezvous[E]).count)
	return r, nil
}

// Do picks the endpoint of key, calls fn with it, and returns fn's error. It returns ctx.Err() if ctx has ended before,
// and a [*NoneError] if there are no endpoints; fn is not called then. A panic or runtime.Goexit in fn ends the pick and
// goes on its way. Do itself does not block and allocates nothing; fn is not kept.
func (r *Rendezvous[E]) Do(ctx context.Context, key string, fn func(context.Context, E) error) error {
	var p Pick[E]
	if err := r.pick(ctx, key, nil, &p); err != nil {
		return err
	}
	defer p.abandon()
	err := fn(ctx, p.Endpoint)
	p.Done(err)
	return err
}

// Owner returns the endpoint that key belongs to, however busy it is. It is false if there are no endpoints.
func (r *Rendezvous[E]) Owner(key string) (E, bool) {
	all := *r.members.Load()
	first := next(all, hash(key), math.MaxUint64, -1, nil)
	if first < 0 {
		var none E
		return none, false
	}
	return all[first].value, true
}

// Pick returns the endpoint of key, or the next by the hash for as long as one is too busy or among exclude; if all are
// excluded, as if none was. Its Done must be called with the result. It returns ctx.Err() if ctx has ended, and a
// [*NoneError] if there are no endpoints; the Pick then does nothing. Pick does not block and allocates nothing; exclude
// is not kept.
func (r *Rendezvous[E]) Pick(ctx context.Context, key string, exclude ...E) (p Pick[E], err error) {
	err = r.pick(ctx, key, exclude, &p)
	return // p is not to be copied
}

// pick fills the zero p.
func (r *Rendezvous[E]) pick(ctx context.Context, key string, exclude []E, p *Pick[E]) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	all, h := *r.members.Load(), hash(key)
	e := r.place(all, h, exclude)
	if e == nil && len(exclude) > 0 {
		e = r.place(all, h, nil)
	}
	if e == nil {
		r.cell.Add(wordRefused, 1)
		telemetry.Event(ctx, "joist.balance.none", r.name)
		return &NoneError{Name: r.name}
	}
	p.Endpoint, p.ctx, p.e, p.r = e.value, ctx, e, r
	return nil
}

// place enters the first endpoint in the order of the key's hashes that has room. That there is one follows from the
// bound, which is above the mean; if calls that come and go at once hide it, or what is excluded has it, the first is taken.
func (r *Rendezvous[E]) place(all []*endpoint[E], key uint64, exclude []E) *endpoint[E] {
	first := next(all, key, math.MaxUint64, -1, exclude)
	if first < 0 {
		return nil
	}
	if r.maxLoad == Off {
		all[first].enter()
		return all[first]
	}
	room := int64(math.Ceil(r.maxLoad * float64(r.total.Add(1)) / float64(len(all))))
	for i := first; i >= 0; i = next(all, key, mix(key^all[i].score), i, exclude) {
		if e := all[i]; e.inflight() < room {
			if e.word.Add(1)&inflightMask <= uint64(room) {
				return e
			}
			e.leave()
		}
	}
	all[first].enter()
	return all[first]
}

// next returns the place of the endpoint that comes after the one with a hash and a place, in the order of falling
// hashes, of the earlier place first if they are the same; -1 if there is none.
func next[E comparable](all []*endpoint[E], key, hash uint64, place int, exclude []E) int {
	best, at := uint64(0), -1
	for i, e := range all {
		h := mix(key ^ e.score)
		if h > hash || h == hash && i <= place || at >= 0 && h <= best {
			continue
		}
		if len(exclude) > 0 && slices.Contains(exclude, e.value) {
			continue
		}
		best, at = h, i
	}
	return at
}

func (r *Rendezvous[E]) finish(e *endpoint[E]) {
	e.leave()
	if r.maxLoad != Off {
		r.total.Add(-1)
	}
}

// SetEndpoints replaces the endpoints. Those that stay keep their keys and their calls in flight; picks of those that
// leave stay valid, and count in the mean until they are done. It returns an error, and changes nothing, if there are more
// than 65 536 or one is there twice. The slice is not kept.
func (r *Rendezvous[E]) SetEndpoints(endpoints []E) error {
	if err := faultsOf(endpoints); err != nil {
		return err
	}
	r.replace(endpoints)
	return nil
}

func (r *Rendezvous[E]) replace(endpoints []E) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := make(map[E]*endpoint[E])
	if old := r.members.Load(); old != nil {
		for _, e := range *old {
			kept[e.value] = e
		}
	}
	all := make([]*endpoint[E], len(endpoints))
	for i, value := range endpoints {
		if all[i] = kept[value]; all[i] == nil {
			all[i] = newEndpoint(value)
			all[i].score = hash(r.id(value))
		}
	}
	r.members.Store(&all)
}

// Stats returns a snapshot: of the states there is only Ready, and nothing is timed or ejected.
func (r *Rendezvous[E]) Stats() Stats {
	s := Stats{
		Successes: r.cell.Total(wordSuccess),
		Failures:  r.cell.Total(wordFailure),
		Ignored:   r.cell.Total(wordIgnored),
		Refused:   r.cell.Total(wordRefused),
	}
	for _, e := range *r.members.Load() {
		s.Ready++
		s.InFlight += int(e.inflight())
	}
	return s
}

// count tells how many endpoints are in a state, for telemetry.
func (r *Rendezvous[E]) count(state int) int64 {
	if State(state) == Ready {
		return int64(len(*r.members.Load()))
	}
	return 0
}
