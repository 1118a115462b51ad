package lincheck

import (
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"
)

// A call of a flight is more than one moment, so a history is made of the moments that matter, each with the span of
// time in which it must lie.
type moment int

const (
	start  moment = iota // a client's call begins a load: between the call and the first line of the load
	join                 // a client's call joins a load whose answer it gets: between call and return
	enter                // a client's call joins a load and leaves before the answer, or comes too late to join anything
	leave                // the client's context ends, and the call returns its error
	end                  // a load ends: between its last line and the first return of its answer
	forget               // Forget
)

const never = math.MaxInt64

// input is one moment of one key's history.
type input struct {
	key    int
	moment moment
	client int
	load   int // of start, join and end
}

// state is one key's.
type state struct {
	load    int   // the one that may be joined, 0 if there is none
	waiters uint8 // clients who wait for it
	inside  uint8 // clients who have entered and not left, wherever they wait
}

// flightModel says what a flight is: a load begins when there is none to join, is joined while it runs and somebody waits
// for it, or whether or not, if it is detached, and never again.
func flightModel(detached bool) porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, in, _ any) []any { return s.(state).step(in.(input), detached) },
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			var keys [][]porcupine.Operation
			for _, op := range history {
				for op.Input.(input).key >= len(keys) {
					keys = append(keys, nil)
				}
				key := op.Input.(input).key
				keys[key] = append(keys[key], op)
			}
			return keys
		},
		DescribeOperation: func(in, _ any) string {
			i := in.(input)
			return fmt.Sprintf("%s(load %d)", [...]string{"start", "join", "enter", "leave", "end", "forget"}[i.moment], i.load)
		},
	}
	return model.ToModel()
}

// step returns the states that may follow, none if this cannot happen.
func (s state) step(in input, detached bool) []any {
	me := uint8(1) << in.client
	switch in.moment {
	case start:
		if s.load != 0 {
			return nil
		}
		s.load, s.waiters = in.load, me
		s.inside |= me
	case join:
		if s.load != in.load {
			return nil
		}
		s.waiters |= me
	case enter: // what it joined is not known
		s.inside |= me
		if s.load != 0 {
			joined := s
			joined.waiters |= me
			return []any{s, joined}
		}
	case leave:
		if s.inside&me == 0 {
			return nil
		}
		s.inside &^= me
		if s.waiters &^= me; s.waiters == 0 && !detached {
			s.load = 0
		}
	case end:
		if s.load == in.load {
			s.load, s.waiters = 0, 0
		}
	case forget:
		s.load, s.waiters = 0, 0
	}
	return []any{s}
}
