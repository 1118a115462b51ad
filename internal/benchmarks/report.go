package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// row is ours beside one peer in one mode.
type row struct {
	Block string   `json:"block"`
	Case  string   `json:"case"`
	Mode  mode     `json:"mode"`
	Ours  figure   `json:"ours"`
	Peer  figure   `json:"peer"`
	Ratio float64  `json:"ratio"`
	Goal  string   `json:"goal"`
	Pass  bool     `json:"pass"`
	Floor *float64 `json:"floor,omitempty"`
}

// String returns the row as one line.
func (r row) String() string {
	line := fmt.Sprintf("ratio %s/%s mode=%s ours=%.1f peer=%s:%.1f ratio=%.2f allocs=%s/%s goal=%s %s",
		r.Block, r.Case, r.Mode, r.Ours.NS, r.Peer.Name, r.Peer.NS, r.Ratio,
		number(r.Ours.Allocs), number(r.Peer.Allocs), r.Goal, verdict(r.Pass))
	if !r.Pass && r.Floor != nil {
		line += fmt.Sprintf(" floor=%.1f", *r.Floor)
	}
	return line
}

func verdict(pass bool) string {
	if pass {
		return "pass"
	}
	return "FAIL"
}

// number returns f with two digits after the point at most.
func number(f float64) string { return strconv.FormatFloat(rounded(f, 2), 'f', -1, 64) }

func rounded(f float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(f*scale) / scale
}

// floorFigure is the cost of a step that hot paths are made of.
type floorFigure struct {
	Name  string  `json:"name"`
	About string  `json:"about"`
	Mode  mode    `json:"mode"`
	NS    float64 `json:"ns"`
}

// String returns the step as one line.
func (f floorFigure) String() string {
	return fmt.Sprintf("floor %s mode=%s ns=%.1f (%s)", f.Name, f.Mode, f.NS, f.About)
}

// settings is how a contender was set up.
type settings struct {
	Case    string `json:"case"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Text    string `json:"settings"`
}

// String returns the settings as one line.
func (s settings) String() string {
	who := strings.TrimSpace(s.Name + " " + s.Version)
	return fmt.Sprintf("settings %s %s: %s", s.Case, who, s.Text)
}

// noise is how much of the machine others took while a block was measured.
type noise struct {
	Block  string  `json:"block"`
	Others float64 `json:"others"` // of all processors, from 0 to 1
	Known  bool    `json:"known"`
}

// report is all that a run found.
type report struct {
	Machine  string        `json:"machine"`
	Floors   []floorFigure `json:"floors"`
	Settings []settings    `json:"settings"`
	Rows     []row         `json:"rows"`
	Noise    []noise       `json:"noise"`
}

// missed returns how many goals were missed.
func (r *report) missed() int {
	missed := 0
	for _, row := range r.Rows {
		if !row.Pass {
			missed++
		}
	}
	return missed
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
