package retry

import (
	"time"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// What Options say about [Hedge].
const (
	// DefaultHedgePercentile is the HedgePercentile of Options that give no HedgeDelay either.
	DefaultHedgePercentile = 0.95
	// DefaultMaxHedges is the MaxHedges of the zero Options.
	DefaultMaxHedges = 1

	maxHedges      = 9
	leastPercent   = 0.5
	largestPercent = 0.999
)

// checkHedging adds the faults of what o says about hedges.
func (o *Options) checkHedging(f *options.Faults) {
	f.Require(o.HedgeDelay >= 0, "HedgeDelay", o.HedgeDelay, "must not be negative")
	f.Require(o.HedgePercentile == 0 || o.HedgePercentile >= leastPercent && o.HedgePercentile <= largestPercent,
		"HedgePercentile", o.HedgePercentile, "must be from 0.5 to 0.999, or 0")
	f.Require(o.MaxHedges >= 0 && o.MaxHedges <= maxHedges, "MaxHedges", o.MaxHedges, "must be from 1 to 9, or 0 for the default")
}

// hedging is what a policy knows of [Hedge].
type hedging struct {
	fixed    time.Duration // 0: none, or while nothing is measured
	measured *latencies    // nil: the delay is fixed
	attempts int           // that a call may make in all
	log      *telemetry.Log
}

// init takes what valid Options say.
func (h *hedging) init(o Options, name string) {
	h.fixed, h.attempts = o.HedgeDelay, 1+o.MaxHedges
	if o.MaxHedges == 0 {
		h.attempts = 1 + DefaultMaxHedges
	}
	if o.HedgePercentile == 0 && o.HedgeDelay == 0 {
		o.HedgePercentile = DefaultHedgePercentile
	}
	if o.HedgePercentile > 0 {
		h.measured = newLatencies(o.HedgePercentile)
	}
	h.log = telemetry.NewLog(o.Logger, "joist/retry", name)
}

// delay is how long to wait before the next hedge, 0 if unknown.
func (h *hedging) delay() time.Duration {
	if h.measured != nil {
		if d := h.measured.get(); d > 0 {
			return d
		}
	}
	return h.fixed
}
