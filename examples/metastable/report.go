package main

import (
	"fmt"
	"io"
	"math"
	"time"
)

// healthy is the share of answered calls from which a second counts as a good one.
const healthy = 0.95

// recovery returns how long after the servers were well again the last bad second ended. It is false if the last ten
// seconds have a bad one: then nothing shows that there was an end.
func (r result) recovery() (after time.Duration, ok bool) {
	end := slowTo
	for second := range r.calls {
		if r.answered[second] < healthy*r.calls[second] {
			end = time.Duration(second+1) * time.Second
		}
	}
	return max(end-slowTo, 0), end <= time.Duration(len(r.calls)-10)*time.Second
}

// failed is the share of calls without an answer.
func (r result) failed() float64 { return 1 - sum(r.answered)/sum(r.calls) }

// amplification is how many attempts reach the servers for each call, in the ten seconds after they are well again.
func (r result) amplification() float64 {
	from, to := int(slowTo/time.Second), int(slowTo/time.Second)+10
	return sum(r.attempts[from:to]) / sum(r.calls[from:to])
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}

func writeSlowHeader(w io.Writer) {
	fmt.Fprintf(w, "All servers %d × slower for %d s. Least and most of all seeds.\n\n", slowFactor, (slowTo-slowFrom)/time.Second)
	fmt.Fprintln(w, "| load | policy | recovers after | calls that fail | attempts per call, the 10 s after |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
}

func writeSlow(w io.Writer, s scenario, of []result) {
	fmt.Fprintf(w, "| %.0f %% | %s | %s | %s %% | %s |\n", 100*s.load, s.policy.name, recoveries(of),
		span(of, "%.1f", func(r result) float64 { return 100 * r.failed() }), span(of, "%.2f", result.amplification))
}

func writeOutageHeader(w io.Writer) {
	fmt.Fprintf(w, "\nOne server of %d dead, load %.0f %%.\n\n", servers, 100*outageLoad)
	fmt.Fprintln(w, "| policy | calls that fail | slowest 1 % of calls takes |")
	fmt.Fprintln(w, "|---|---|---|")
}

func writeOutage(w io.Writer, s scenario, of []result) {
	fmt.Fprintf(w, "| %s | %s %% | %s s |\n", s.policy.name,
		span(of, "%.2f", func(r result) float64 { return 100 * r.failed() }),
		span(of, "%.2f", func(r result) float64 { return r.p99.Seconds() }))
}

func recoveries(of []result) string {
	for _, r := range of {
		if _, ok := r.recovery(); !ok {
			return "never"
		}
	}
	return span(of, "%.0f", func(r result) float64 {
		after, _ := r.recovery()
		return after.Seconds()
	}) + " s"
}

// span is the least and the most of a figure.
func span(of []result, format string, figure func(result) float64) string {
	least, most := math.Inf(1), math.Inf(-1)
	for _, r := range of {
		least, most = min(least, figure(r)), max(most, figure(r))
	}
	from, to := fmt.Sprintf(format, least), fmt.Sprintf(format, most)
	if from == to {
		return from
	}
	return from + "–" + to
}
