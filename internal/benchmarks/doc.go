// Command benchmarks measures joist beside the strongest peers of each block.
//
//	go -C internal/benchmarks run . [-quick] [-only BLOCK | -only BLOCK/CASE] [-json | -markdown] [-allocs] [-list] [-million]
//
// # How it measures
//
// Ours and every peer do the same work in one process, with the peers' best settings, which are printed. They take
// turns: a round gives each of them one slice of about a millisecond, the order rotates from round to round, and the
// figure is the median over the rounds. So a machine that slows down for a while slows all of them, and a ratio means
// something where a time alone does not. A slice is shorter than the time that a scheduler leaves a process its
// processor: on a busy machine too, most slices are undisturbed, and the median is one of them.
//
// Each case runs serially, in one goroutine, and in parallel, in as many goroutines as the process has processors,
// released together; a parallel figure is the elapsed time divided by the calls of all goroutines. Allocations are
// counted in a pass of their own. A contender that allocates has its garbage collected before the next one's turn.
//
// The real OpenTelemetry SDK is attached to ours: a meter provider with two readers, which are collected between
// slices now and then, and a trace provider that samples nothing.
//
// # What it prints
//
//	ratio BLOCK/CASE mode=serial|parallel ours=NS peer=NAME:NS ratio=R allocs=OURS/PEER goal=GOAL pass|FAIL
//
// One line for each peer and mode. A goal lists what is asked of that row, joined by commas: the highest ratio ("0.55"),
// the highest time ("25ns"), the most that ours may take above the peer ("+10ns"), the most allocations ("0allocs"), or
// "none" for a row that only compares. A line that fails ends with the measured floor of that case where there is one
// ("floor=NS"): the same loop around nothing but what no implementation can leave out, such as one clock reading and
// one compare-and-swap.
//
// Lines that begin with "floor" give the cost of an empty loop and of the single steps that hot paths are made of.
// Nothing is subtracted from any figure. Lines that begin with "noise" say how much of the machine other processes
// took meanwhile; with more than a few percent, times mean little and ratios are to be taken again.
//
// The exit code is 0 if all goals were met, 1 if one was missed, 2 if nothing could be measured. With -allocs only the
// allocation goals decide, and times are taken in passing: that holds on any machine, however busy.
//
// # A million tasks
//
// With -million, pools run a million tasks, each pool in processes of its own, and a table tells time and the peak of memory
// of ours, ants, pond, conc, errgroup and plain goroutines.
//
// # The telemetry block
//
// Its cases run the hot path of another block in two child processes: this program, and the same program built with
// the counters of internal/telemetry replaced by ones that do nothing (see the nocounters directory). The two take
// turns as ours and a peer do, and the difference is what the counters cost.
package main
