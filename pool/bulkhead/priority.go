package bulkhead

import "context"

// Priority is what a call is worth when not all can be done.
type Priority int

// The priorities. Those with more worth get a slot first, whenever they came, and those with less make room for them in
// a full queue. Without a queue nobody waits and priorities mean nothing.
const (
	Sheddable Priority = -1 // nobody misses it: prefetching, background work
	Normal    Priority = 0  // of all calls that say nothing
	Critical  Priority = 1  // the last to be shed
)

// classes is how many priorities there are.
const classes = 3

type priorityKey struct{}

// WithPriority returns ctx with the priority of the calls that are made with it. A value beyond the named ones means
// the nearest of them. The innermost holds. It is looked at only by a call that finds no free slot.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, min(max(p, Sheddable), Critical))
}

// PriorityOf returns the priority that ctx carries, Normal if none.
func PriorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}

// classOf returns the priority as an index, the lowest first.
func classOf(ctx context.Context) int { return int(PriorityOf(ctx) - Sheddable) }
