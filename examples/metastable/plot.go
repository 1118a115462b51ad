package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The plots have no background, and colours that show on a light page and on a dark one.
const (
	plotWidth   = 760
	panelHeight = 150
	panelGap    = 44
	marginLeft  = 56
	marginRight = 16
	marginTop   = 98
	marginBelow = 44
	ink         = "#808080"
)

var colours = []string{"#d64550", "#d08a00", "#2c9c5e", "#3d7fd6"} // of the policies

// plot is one drawing: a panel for each load, a line for each policy.
type plot struct {
	title    string
	top      float64 // of the vertical axis, per second
	step     float64 // between its marks
	line     func(result) []float64
	dashed   func(load float64) float64
	dashedAs string
}

// drawPlots writes the plots of what came of each load and policy.
func drawPlots(folder string, loads []float64, of [][]result) error {
	for name, p := range map[string]plot{
		"goodput.svg": {
			title: "Calls answered, per second", top: 1000, step: 250,
			line:   func(r result) []float64 { return r.answered },
			dashed: func(load float64) float64 { return load * capacity }, dashedAs: "calls made",
		},
		"attempts.svg": {
			title: "Attempts that reach the servers, per second", top: 8000, step: 2000,
			line:   func(r result) []float64 { return r.attempts },
			dashed: func(float64) float64 { return capacity }, dashedAs: "capacity",
		},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(p.draw(loads, of)), 0o644); err != nil { //nolint:gosec // to be read by all
			return err
		}
	}
	return nil
}

// draw returns the plot as SVG. A line is the mean of all seeds.
func (p plot) draw(loads []float64, of [][]result) string {
	seconds := len(of[0][0].calls)
	height := marginTop + len(loads)*panelHeight + (len(loads)-1)*panelGap + marginBelow
	x := func(second float64) float64 {
		return marginLeft + second/float64(seconds)*(plotWidth-marginLeft-marginRight)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="%s">`+"\n",
		plotWidth, height, ink)
	text(&b, marginLeft, 20, "start", `font-size="15" font-weight="bold"`, p.title)
	p.legend(&b)

	for i, load := range loads {
		top := float64(marginTop + i*(panelHeight+panelGap))
		y := func(v float64) float64 { return top + panelHeight*(1-min(v/p.top, 1)) }
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s" fill-opacity="0.18"/>`+"\n",
			x(slowFrom.Seconds()), top, x(slowTo.Seconds())-x(slowFrom.Seconds()), panelHeight, ink)
		text(&b, marginLeft, top-7, "start", `font-weight="bold"`, fmt.Sprintf("load %.0f %%", 100*load))
		for v := 0.0; v <= p.top; v += p.step {
			rule(&b, marginLeft, y(v), plotWidth-marginRight, y(v), `stroke-opacity="0.35"`)
			text(&b, marginLeft-6, y(v)+4, "end", "", fmt.Sprintf("%.0f", v))
		}
		for second := 0; second <= seconds; second += 30 {
			at := x(float64(second))
			rule(&b, at, top+panelHeight, at, top+panelHeight+4, "")
			text(&b, at, top+panelHeight+17, "middle", "", strconv.Itoa(second))
		}
		rule(&b, marginLeft, y(p.dashed(load)), plotWidth-marginRight, y(p.dashed(load)), `stroke-width="1.5" stroke-dasharray="5 4"`)
		for k := range policies {
			p.polyline(&b, of[i*len(policies)+k], colours[k], x, y)
		}
	}
	text(&b, marginLeft+(plotWidth-marginLeft-marginRight)/2, float64(height-8), "middle", "", "seconds")
	b.WriteString("</svg>\n")
	return b.String()
}

func (p plot) legend(b *strings.Builder) {
	at := float64(marginLeft)
	for k, policy := range policies {
		fmt.Fprintf(b, `<line x1="%.0f" y1="38" x2="%.0f" y2="38" stroke="%s" stroke-width="3"/>`+"\n", at, at+20, colours[k])
		text(b, at+26, 42, "start", "", policy.name)
		at += 52 + 6.6*float64(len(policy.name))
	}
	rule(b, marginLeft, 58, marginLeft+20, 58, `stroke-width="1.5" stroke-dasharray="5 4"`)
	text(b, marginLeft+26, 62, "start", "", p.dashedAs)
	fmt.Fprintf(b, `<rect x="170" y="51" width="20" height="14" fill="%s" fill-opacity="0.18"/>`+"\n", ink)
	text(b, 196, 62, "start", "", fmt.Sprintf("service %d × slower, for %d s", slowFactor, (slowTo-slowFrom)/time.Second))
}

// polyline adds one policy's line.
func (p plot) polyline(b *strings.Builder, of []result, colour string, x, y func(float64) float64) {
	b.WriteString(`<polyline fill="none" stroke-width="1.8" stroke-linejoin="round" stroke="` + colour + `" points="`)
	for second := range of[0].calls {
		mean := 0.0
		for _, r := range of {
			mean += p.line(r)[second] / float64(len(of))
		}
		fmt.Fprintf(b, "%.1f,%.1f ", x(float64(second)+0.5), y(mean))
	}
	b.WriteString(`"/>` + "\n")
}

func text(b *strings.Builder, x, y float64, anchor, attributes, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, attributes, s)
}

func rule(b *strings.Builder, x1, y1, x2, y2 float64, attributes string) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" %s/>`+"\n", x1, y1, x2, y2, ink, attributes)
}
