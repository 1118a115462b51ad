package ratelimit

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/joist-go/joist/internal/options"
)

// Values of the fields of a [Limit] that are not numbers of tokens.
const (
	// Infinite as Limit.Tokens lets everything pass. Per and Burst are not looked at then.
	Infinite int64 = -1
	// NoBurst as Limit.Burst lets nothing pass: no number of tokens ever fits into the bucket.
	NoBurst int64 = -1
)

// DefaultLimitName is the Name of a [Limit] that was given none.
const DefaultLimitName = "default"

// MaxLimits is how many limits may hold together.
const MaxLimits = 8

const (
	maxLimitName = 128
	maxFill      = 1 << 61 // nanoseconds, 73 years: what bounds the range of a bucket's word
	maxFillText  = "the bucket must fill within 73 years"
)

// Limit is a token bucket: Tokens come in evenly over each Per, and at most Burst of them are kept. A bucket starts
// full. In any stretch of time, at most Burst + Tokens·(stretch/Per) are taken.
//
// The functions [PerSecond], [PerMinute], [PerHour], [PerDay] and [Every] write common limits; [Unlimited] and [None]
// are the two ends. A Limit is a value; the zero Limit is not valid.
type Limit struct {
	// Name tells the limit from others in answers, metrics and the fields of HTTP responses, where it is a quoted
	// string: at most 128 printable ASCII characters, space included. Default "default".
	Name string

	// Tokens is how many tokens come in per Per: from 1 up to one per nanosecond (1e9 per second), or Infinite.
	// Required.
	Tokens int64

	// Per is the time in which Tokens come in, evenly and not at its end. Required, and positive.
	Per time.Duration

	// Burst is the size of the bucket: the most that can be taken at once. Default Tokens. NoBurst lets nothing pass.
	// A bucket must fill within 73 years.
	Burst int64

	// Shadow has the limit decide and count without denying: each take that it would have denied is counted as shadow_denied,
	// whether another limit denies that or not. Nothing is taken from it when it would have denied, nor when another limit
	// denies, so its counts are those of the limit that is being tried out beside the others.
	Shadow bool
}

// PerSecond returns the limit of n tokens a second, with a burst of n.
func PerSecond(n int64) Limit { return Limit{Tokens: n, Per: time.Second} }

// PerMinute returns the limit of n tokens a minute, with a burst of n.
func PerMinute(n int64) Limit { return Limit{Tokens: n, Per: time.Minute} }

// PerHour returns the limit of n tokens an hour, with a burst of n.
func PerHour(n int64) Limit { return Limit{Tokens: n, Per: time.Hour} }

// PerDay returns the limit of n tokens in 24 hours, with a burst of n.
func PerDay(n int64) Limit { return Limit{Tokens: n, Per: 24 * time.Hour} }

// Every returns the limit of one token each interval, with a burst of 1.
func Every(interval time.Duration) Limit { return Limit{Tokens: 1, Per: interval} }

// Unlimited returns the limit that allows everything.
func Unlimited() Limit { return Limit{Tokens: Infinite} }

// None returns the limit that allows nothing: every take of one or more is denied and will never fit.
func None() Limit { return Limit{Tokens: 1, Per: time.Second, Burst: NoBurst} }

// WithBurst returns l with another burst.
func (l Limit) WithBurst(n int64) Limit {
	l.Burst = n
	return l
}

// Named returns l with another name.
func (l Limit) Named(name string) Limit {
	l.Name = name
	return l
}

// Shadowed returns l as a shadow: it counts what it would deny, and denies nothing.
func (l Limit) Shadowed() Limit {
	l.Shadow = true
	return l
}

// String describes the limit, as in "default: 100 per 1s, burst 20".
func (l Limit) String() string {
	l = l.filled()
	text := l.Name
	if l.Shadow {
		text += " (shadow)"
	}
	switch {
	case l.Tokens == Infinite:
		return text + ": unlimited"
	case l.Burst == NoBurst:
		return text + ": none"
	default:
		return fmt.Sprintf("%s: %d per %v, burst %d", text, l.Tokens, l.Per, l.Burst)
	}
}

// filled returns l with its defaults.
func (l Limit) filled() Limit {
	if l.Name == "" {
		l.Name = DefaultLimitName
	}
	if l.Burst == 0 {
		l.Burst = l.Tokens
	}
	return l
}

// checkLimits records what is wrong with the Limits of an Options struct.
func checkLimits(f *options.Faults, limits []Limit) {
	if len(limits) == 0 {
		f.Missing("Limits")
		return
	}
	f.Require(len(limits) <= MaxLimits, "Limits", limits, fmt.Sprintf("must hold at most %d limits", MaxLimits))
	names := make(map[string]bool)
	for i, l := range limits {
		l.check(f, fmt.Sprintf("Limits[%d].", i))
		name := l.filled().Name
		f.Require(!names[name], fmt.Sprintf("Limits[%d].Name", i), name, "must differ from the names of the other limits")
		names[name] = true
	}
}

func (l Limit) check(f *options.Faults, prefix string) {
	f.Require(printable(l.Name) && len(l.Name) <= maxLimitName, prefix+"Name", l.Name,
		fmt.Sprintf("must be at most %d printable ASCII characters", maxLimitName))
	if l.Tokens == Infinite {
		return
	}
	if l.Tokens == 0 {
		f.Missing(prefix + "Tokens")
	}
	f.Require(l.Tokens >= 0, prefix+"Tokens", l.Tokens, "must be positive, or Infinite")
	if l.Per == 0 {
		f.Missing(prefix + "Per")
	}
	f.Require(l.Per >= 0, prefix+"Per", l.Per, "must be positive")
	f.Require(l.Burst >= NoBurst, prefix+"Burst", l.Burst, "must be positive, 0 for the same as Tokens, or NoBurst")
	if l.Tokens <= 0 || l.Per <= 0 || l.Burst < NoBurst {
		return
	}
	f.Require(l.Tokens <= int64(l.Per), prefix+"Tokens", l.Tokens,
		fmt.Sprintf("must be at most one per nanosecond, which is %d per %v", int64(l.Per), l.Per))
	if l = l.filled(); l.Burst != NoBurst {
		f.Require(l.fill() <= maxFill, prefix+"Burst", l.Burst, maxFillText)
	}
}

// fill returns the nanoseconds in which an empty bucket fills, rounded down, and at least more than maxFill when they
// do not fit.
func (l Limit) fill() uint64 {
	hi, lo := bits.Mul64(uint64(l.Burst), uint64(l.Per))
	if hi >= uint64(l.Tokens) {
		return maxFill + 1
	}
	fill, _ := bits.Div64(hi, lo, uint64(l.Tokens))
	return fill
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
