package main

import (
	"strings"
	"testing"
)

func TestTheTableHasALineForEachCaseAndPeerAndTellsWhatIsMissed(t *testing.T) {
	floor := 25.3
	line := func(name, goal string, m mode, pass bool) row {
		r := exampleRow()
		r.Case, r.Goal, r.Mode, r.Pass = name, goal, m, pass
		if !pass {
			r.Floor = &floor
		}
		return r
	}
	inAll := line("hit", "1.00,0allocs", parallel, false)
	inAll.Ours.NS, inAll.Ratio = 80, 1.27
	r := report{
		Machine: "a machine",
		Rows: []row{
			line("hit", "1.00,0allocs", serial, true), inAll,
			line("compared", "0allocs", serial, true), line("compared", "0allocs", parallel, true),
			line("timed", "+10ns", serial, true), line("timed", "5allocs", parallel, true),
		},
		Noise: []noise{{"cache", 0.014, true}, {"pool", 0.031, true}},
	}
	var b strings.Builder
	if err := r.writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| cache/hit | otter | 41 / 63 | 0.65 (≤ 1.00) | 80 / 63 | **1.27 (≤ 1.00, ≤ 0 allocs)**, floor 25 ns | 0 / 1.5 |\n",
		"| cache/compared | otter | 41 / 63 | 0.65 | 41 / 63 | 0.65 | 0 / 1.5 |\n",
		"| cache/timed | otter | 41 / 63 | 0.65 (≤ +10 ns) | 41 / 63 | 0.65 (≤ 5 allocs) | 0 / 1.5 |\n",
		"Measured on a machine; others took at most 3 % of the machine meanwhile.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if lines := strings.Count(b.String(), "\n| cache/"); lines != 3 {
		t.Errorf("%d lines, want 3:\n%s", lines, b.String())
	}
}

func TestNoiseThatIsUnknownInOneBlockIsUnknown(t *testing.T) {
	r := report{Noise: []noise{{"cache", 0.1, true}, {"pool", 0, false}}}
	if got := r.noisiest(); got != "an unknown part" {
		t.Errorf("got %q", got)
	}
}
