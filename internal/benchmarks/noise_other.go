//go:build !linux

package main

import "time"

// processorTime is not known here.
func processorTime() (busy, own time.Duration, known bool) { return 0, 0, false }
