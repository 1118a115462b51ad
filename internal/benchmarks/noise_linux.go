package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of /proc/stat: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// processorTime returns the processor time that the whole machine has spent since it started, what its host took from
// it included, and that of this process with the children it has waited for.
func processorTime() (busy, own time.Duration, known bool) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	busy, known = busyTime(string(stat))
	if !known {
		return 0, 0, false
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			return 0, 0, false
		}
		own += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return busy, own, true
}

// busyTime reads the first line of /proc/stat: "cpu user nice system idle iowait irq softirq steal …". The guests'
// times that follow are part of the user's.
func busyTime(stat string) (time.Duration, bool) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, false
	}
	var ticks int64
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, false
		}
		if idle := i == 3 || i == 4; !idle {
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, true
}
