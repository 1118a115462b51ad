package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func exampleRow() row {
	return row{
		Block: "cache", Case: "hit", Mode: serial,
		Ours:  figure{Name: "joist", NS: 41.04, Q1: 40, Q3: 42},
		Peer:  figure{Name: "otter", NS: 63.26, Q1: 60, Q3: 70, Allocs: 1.5},
		Ratio: 41.04 / 63.26, Goal: "1.00,0allocs", Pass: true,
	}
}

func TestARowIsOneLineOfAFixedForm(t *testing.T) {
	const want = "ratio cache/hit mode=serial ours=41.0 peer=otter:63.3 ratio=0.65 allocs=0/1.5 goal=1.00,0allocs pass"
	if got := exampleRow().String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAMissedGoalIsFollowedByItsFloor(t *testing.T) {
	r := exampleRow()
	r.Pass = false
	if got := r.String(); !strings.HasSuffix(got, "goal=1.00,0allocs FAIL") {
		t.Errorf("got %q, want it to end with FAIL", got)
	}
	floor := 25.26
	r.Floor = &floor
	if got := r.String(); !strings.HasSuffix(got, " FAIL floor=25.3") {
		t.Errorf("got %q, want it to end with the floor", got)
	}
	r.Pass = true
	if got := r.String(); strings.Contains(got, "floor") {
		t.Errorf("got %q: a goal that is met needs no floor", got)
	}
}

func TestEveryGoalMakesALineOfTheForm(t *testing.T) {
	form := regexp.MustCompile(`^ratio [a-z]+/[a-z0-9-]+ mode=(serial|parallel) ours=\d+\.\d peer=[^: ]+:\d+\.\d ` +
		`ratio=\d+\.\d\d allocs=[0-9.]+/[0-9.]+ goal=\S+ (pass|FAIL( floor=\d+\.\d)?)$`)
	for _, g := range goals {
		for _, m := range g.modes {
			r := row{
				Block: g.block, Case: g.name, Mode: m, Goal: g.String(),
				Ours: figure{NS: 12.3}, Peer: figure{Name: g.peer, NS: 45.6, Allocs: 2}, Ratio: 0.27,
			}
			if !form.MatchString(r.String()) {
				t.Errorf("%q is not of the form", r)
			}
		}
	}
}

func TestTheDocumentHoldsTheWholeReport(t *testing.T) {
	floor := 25.3
	missed := exampleRow()
	missed.Pass, missed.Floor = false, &floor
	want := report{
		Machine:  "a machine",
		Floors:   []floorFigure{{"clock", "one reading", serial, 25.3}},
		Settings: []settings{{"cache/hit", "otter", "v2", "as fast as it gets"}},
		Rows:     []row{exampleRow(), missed},
		Noise:    []noise{{"cache", 0.1, true}},
	}
	var b bytes.Buffer
	if err := want.writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.missed() != 1 {
		t.Errorf("%d goals missed, want 1", got.missed())
	}
}
