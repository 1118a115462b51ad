package main

import (
	"os"
	"syscall"
)

// peakMemory returns the largest resident set that a process had, in bytes.
func peakMemory(state *os.ProcessState) (bytes int64, ok bool) {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, false
	}
	return int64(usage.Maxrss) * 1024, true //nolint:unconvert // 32 bits wide on some systems
}
