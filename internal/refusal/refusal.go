// Package refusal is how blocks know each other's refusals without importing each other: by two small interfaces.
//
// A refusal is an error that says the call was never made, and perhaps when it is worth another try. Ask [Refused]
// before looking for context errors: a block that refuses because the wait would not fit the deadline returns an error
// that is both.
package refusal

import (
	"errors"
	"time"
)

// Refused tells whether err says that the call was never made: the outermost error in err's tree that has a method
// Refused() bool decides, so that a wrapper which knows better than what it wraps is believed.
func Refused(err error) bool {
	if err == nil {
		return false
	}
	r, ok := errors.AsType[interface {
		error
		Refused() bool
	}](err)
	return ok && r.Refused()
}

// RetryAfter returns how long err asks to wait before another try: what the outermost error in err's tree with a
// method RetryAfter() time.Duration answers. It is false when no error has the method, or when it answers 0 or less,
// which means that it has no hint.
func RetryAfter(err error) (time.Duration, bool) {
	if err == nil {
		return 0, false
	}
	r, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err)
	if !ok {
		return 0, false
	}
	d := r.RetryAfter()
	return max(d, 0), d > 0
}
