package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json, as go doc test2json describes it.
type event struct {
	Action  string `json:"Action"`
	Package string `json:"Package"`
	Test    string `json:"Test"`
	Output  string `json:"Output"`
}

// report turns events back into the lines of a plain go test: of a package that passes its closing line, of one that
// fails also what its tests said that did not pass.
type report struct {
	out     io.Writer
	held    map[string][]event         // by package: what was said since it began
	passed  map[string]map[string]bool // by package: the tests that have passed
	skipped []string
}

func newReport(out io.Writer) *report {
	return &report{out: out, held: map[string][]event{}, passed: map[string]map[string]bool{}}
}

// add takes one line of the output of go test -json.
func (r *report) add(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		fmt.Fprintf(r.out, "%s", line) // not an event: go test speaks for itself
		return
	}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "output":
		r.held[e.Package] = append(r.held[e.Package], e)
	case e.Test != "" && e.Action == "skip":
		r.skipped = append(r.skipped, e.Package+" "+e.Test)
	case e.Test != "" && e.Action == "pass":
		if r.passed[e.Package] == nil {
			r.passed[e.Package] = map[string]bool{}
		}
		r.passed[e.Package][e.Test] = true
	case e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
		r.close(e.Package, e.Action == "fail")
	}
}

// close prints what there is to say of a package that has ended.
func (r *report) close(pkg string, failed bool) {
	for _, e := range r.held[pkg] {
		closing := e.Test == "" && (strings.HasPrefix(e.Output, "ok ") || strings.HasPrefix(e.Output, "? "))
		if closing || failed && !r.passed[pkg][e.Test] && !strings.HasPrefix(e.Output, "=== ") {
			fmt.Fprint(r.out, e.Output)
		}
	}
	delete(r.held, pkg)
	delete(r.passed, pkg)
}
