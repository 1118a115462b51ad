package pool

import (
	"context"
	"iter"
)

// MapSeq is [Map] for items that come from a sequence: it returns the sequence of the results, in the order of the items.
//
// Nothing happens before somebody ranges over it; each range is a Map of its own. Then items are taken from seq as they
// are needed: no more than there are workers are ahead of the results that have been handed out. seq is called, and so
// read, on the goroutine that ranges.
//
// The first error ends the sequence: the results before the item that failed are handed out if they are there, then a zero
// R with the error, and nothing more. A panic of fn is raised in the range, as by Map. Whoever leaves the loop early cancels
// what is under way; the range ends, either way, once all items that it gave to the pool have returned, and leaves nothing
// behind. If the loop or seq panics, the panic of an item goes to Options.OnPanic, or ends the process.
func MapSeq[T, R any](ctx context.Context, p *Pool, seq iter.Seq[T], fn func(context.Context, T) (R, error)) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		g := newGroup(ctx, p)
		defer g.end()
		var ahead []*R // the results that have not been handed out
		handed, left := 0, false
		// hand hands out the oldest result. It returns false if that has failed, or nobody wants more.
		hand := func() bool {
			for handed == g.good {
				if len(g.futures) == 0 {
					return false
				}
				g.wait()
			}
			r := *ahead[0]
			ahead = ahead[1:]
			handed++
			left = !yield(r, nil)
			return !left
		}
		more, window := true, p.size()
		for item := range seq {
			for more && (len(ahead) == window || len(ahead) > 0 && (g.good > handed || g.ready())) {
				more = hand()
			}
			if !more {
				break
			}
			r := new(R)
			if more = g.submit(func(ctx context.Context) (err error) {
				*r, err = fn(ctx, item)
				return err
			}); !more {
				break
			}
			ahead = append(ahead, r)
		}
		for more = !left; more && len(ahead) > 0; {
			more = hand()
		}
		if left {
			g.cancel()
			_ = g.result() // nobody wants the error, but a panic is raised
			return
		}
		if err := g.result(); err != nil {
			var zero R
			yield(zero, err)
		}
	}
}
