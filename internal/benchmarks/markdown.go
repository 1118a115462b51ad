package main

import (
	"fmt"
	"io"
	"strings"
)

// writeMarkdown writes the table of the README: one line for each case and peer, both modes side by side.
func (r *report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\n| hot path | peer | one goroutine, ns | ratio (goal) | all cores, ns | ratio (goal) | allocs |\n")
	b.WriteString("|---|---|---:|---|---:|---|---:|\n")
	for _, one := range r.Rows {
		if one.Mode != serial {
			continue
		}
		all := r.inParallel(one)
		fmt.Fprintf(&b, "| %s/%s | %s | %s | %s | %s | %s | %s / %s |\n", one.Block, one.Case, one.Peer.Name,
			times(one), judged(one), times(all), judged(all), number(one.Ours.Allocs), number(one.Peer.Allocs))
	}
	fmt.Fprintf(&b, "\nTimes and allocations are joist / peer. Bold is a goal that is missed. Measured on %s; "+
		"others took %s of the machine meanwhile.\n\n", r.Machine, r.noisiest())
	_, err := io.WriteString(w, b.String())
	return err
}

// inParallel returns the row of the same case and peer on all cores.
func (r *report) inParallel(one row) row {
	for _, all := range r.Rows {
		if all.Mode == parallel && all.Block == one.Block && all.Case == one.Case && all.Peer.Name == one.Peer.Name {
			return all
		}
	}
	return row{}
}

func times(r row) string { return fmt.Sprintf("%.0f / %.0f", r.Ours.NS, r.Peer.NS) }

// judged returns a row's ratio and its goal, in bold with its floor if that is missed. Allocations have a column of
// their own, so their goal stands here only if it is missed or if it is all that is asked.
func judged(r row) string {
	var asked []string
	for part := range strings.SplitSeq(r.Goal, ",") {
		name, isAllocs := strings.CutSuffix(part, "allocs")
		switch {
		case part == "none":
		case !isAllocs:
			asked = append(asked, "≤ "+strings.Replace(part, "ns", " ns", 1))
		case !r.Pass || part == r.Goal && name != "0":
			asked = append(asked, "≤ "+name+" allocs")
		}
	}
	text := fmt.Sprintf("%.2f", r.Ratio)
	if len(asked) > 0 {
		text += " (" + strings.Join(asked, ", ") + ")"
	}
	if r.Pass {
		return text
	}
	text = "**" + text + "**"
	if r.Floor != nil {
		text += fmt.Sprintf(", floor %.0f ns", *r.Floor)
	}
	return text
}

// noisiest returns the largest share that others took during any block.
func (r *report) noisiest() string {
	most, known := 0.0, len(r.Noise) > 0
	for _, n := range r.Noise {
		most = max(most, n.Others)
		known = known && n.Known
	}
	if !known {
		return "an unknown part"
	}
	return fmt.Sprintf("at most %.0f %%", most*100)
}
