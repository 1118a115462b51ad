package main

import (
	"fmt"
	"runtime"
	"time"
)

// noiseMeter tells how much of the machine other processes took while this one measured.
type noiseMeter struct {
	began time.Time
	busy  time.Duration // processor time of the whole machine
	own   time.Duration // of this process and of the children it has waited for
	known bool
}

func startNoise() noiseMeter {
	busy, own, known := processorTime()
	return noiseMeter{time.Now(), busy, own, known}
}

// others returns the share of all processors that others took since the start, and whether that can be told.
func (n noiseMeter) others() (float64, bool) {
	busy, own, known := processorTime()
	if !known || !n.known {
		return 0, false
	}
	all := time.Since(n.began) * time.Duration(runtime.NumCPU())
	return share(busy-n.busy, own-n.own, all), true
}

// share returns which part of all was busy and not our own. The two clocks tick at different grains, so a negative
// difference is none.
func share(busy, own, all time.Duration) float64 {
	if all <= 0 {
		return 0
	}
	return min(1, max(0, float64(busy-own)/float64(all)))
}

func noiseText(others float64, known bool) string {
	if !known {
		return "noise others=unknown"
	}
	return fmt.Sprintf("noise others=%.1f%%", others*100)
}
