// Package options checks the Options structs of the blocks: all of a struct at once, each fault with its field, its
// value and the rule it breaks.
package options

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest Name of a block, in bytes. A Name becomes an attribute of every metric of its block.
const MaxName = 128

// Faults collects what is wrong with one Options struct.
type Faults struct {
	prefix string
	errs   []error
}

// Check starts a check: pkg is the error prefix of the package, such as "joist/cache", and typ the struct's name.
func Check(pkg, typ string) *Faults {
	return &Faults{prefix: pkg + ": " + typ + "."}
}

// Require records a fault unless ok: the field, the value it has, and the rule that it breaks, worded to follow the
// value, as in "must be positive".
func (f *Faults) Require(ok bool, field string, value any, rule string) {
	if ok {
		return
	}
	shown := fmt.Sprintf("%v", value)
	if s, isText := value.(string); isText {
		shown = fmt.Sprintf("%.200q", s)
	}
	f.errs = append(f.errs, fmt.Errorf("%s%s is %s, but %s", f.prefix, field, shown, rule))
}

// Missing records that a required field was not given.
func (f *Faults) Missing(field string) {
	f.errs = append(f.errs, fmt.Errorf("%s%s is not set, but it is required", f.prefix, field))
}

// Name checks a block's Name: at most MaxName bytes of valid UTF-8 without control characters.
func (f *Faults) Name(name string) {
	f.Require(len(name) <= MaxName && utf8.ValidString(name) && strings.IndexFunc(name, unicode.IsControl) < 0,
		"Name", name, fmt.Sprintf("must be at most %d bytes of UTF-8 without control characters", MaxName))
}

// Err returns all faults joined, or nil when there are none.
func (f *Faults) Err() error { return errors.Join(f.errs...) }
