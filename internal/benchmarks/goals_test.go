package main

import (
	"fmt"
	"testing"
)

// measuredRows returns every row that a run prints, "block/case peer mode", by setting all cases up.
func measuredRows(t *testing.T) map[string]bool {
	t.Helper()
	rows := make(map[string]bool)
	for _, b := range blocks {
		for _, c := range b.cases {
			var peers []string
			if c.twin != "" {
				peers = []string{twinPeer}
			} else {
				env := &environment{sdk: newSDK()}
				l, err := c.setup(env)
				if err != nil {
					t.Fatalf("%s/%s: %v", b.name, c.name, err)
				}
				for _, p := range l.peers {
					peers = append(peers, p.name)
				}
				env.close()
			}
			for _, p := range peers {
				for _, m := range modes {
					rows[fmt.Sprintf("%s/%s %s %s", b.name, c.name, p, m)] = false
				}
			}
		}
	}
	return rows
}

func TestEveryRowHasOneGoalAndEveryGoalARow(t *testing.T) {
	rows := measuredRows(t)
	for _, g := range goals {
		for _, m := range g.modes {
			key := fmt.Sprintf("%s/%s %s %s", g.block, g.name, g.peer, m)
			taken, measured := rows[key]
			if !measured {
				t.Errorf("the goal of %q has no row", key)
			}
			if taken {
				t.Errorf("%q has two goals", key)
			}
			rows[key] = true
		}
	}
	for key, hasGoal := range rows {
		if !hasGoal {
			t.Errorf("the row %q has no goal", key)
		}
	}
}

func TestEveryTelemetryCaseRunsACaseOfAnotherBlock(t *testing.T) {
	for _, c := range telemetryCases {
		twin, err := selected(c.twin)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(twin) != 1 || len(twin[0].cases) != 1 || twin[0].cases[0].setup == nil {
			t.Errorf("%s: the twin %q is not one case", c.name, c.twin)
		}
	}
}

func TestAGoalSaysWhatItAsks(t *testing.T) {
	for _, test := range []struct {
		goal goal
		want string
	}{
		{goal{ratio: 0.55, allocs: 0}, "0.55,0allocs"},
		{goal{ratio: 1, allocs: anyAllocs}, "1.00"},
		{goal{ns: 25}, "25ns,0allocs"},
		{goal{above: 10, allocs: anyAllocs}, "+10ns"},
		{goal{allocs: 5}, "5allocs"},
		{goal{allocs: anyAllocs}, "none"},
	} {
		if got := test.goal.String(); got != test.want {
			t.Errorf("%+v reads %q, want %q", test.goal, got, test.want)
		}
	}
}

func TestAGoalIsMetUpToItsLimitAndNotBeyond(t *testing.T) {
	for _, test := range []struct {
		goal       goal
		ours, peer figure
		met        bool
		onlyAllocs bool // what is met when times are not judged
	}{
		{goal{ratio: 0.5}, figure{NS: 50}, figure{NS: 100}, true, true},
		{goal{ratio: 0.5}, figure{NS: 50.4}, figure{NS: 100}, true, true}, // reads 0.50
		{goal{ratio: 0.5}, figure{NS: 51}, figure{NS: 100}, false, true},
		{goal{ratio: 0.5}, figure{NS: 10, Allocs: 1}, figure{NS: 100}, false, false},
		{goal{ratio: 0.5, allocs: 1}, figure{NS: 10, Allocs: 1}, figure{NS: 100}, true, true},
		{goal{ratio: 0.5, allocs: 1}, figure{NS: 10, Allocs: 1.01}, figure{NS: 100}, false, false},
		{goal{ratio: 0.5, allocs: anyAllocs}, figure{NS: 10, Allocs: 99}, figure{NS: 100}, true, true},
		{goal{ns: 25}, figure{NS: 25}, figure{NS: 1}, true, true},
		{goal{ns: 25}, figure{NS: 25.2}, figure{NS: 100}, false, true},
		{goal{above: 10}, figure{NS: 60}, figure{NS: 50}, true, true},
		{goal{above: 10}, figure{NS: 40}, figure{NS: 50}, true, true},
		{goal{above: 10}, figure{NS: 60.2}, figure{NS: 50}, false, true},
		{goal{allocs: 5}, figure{NS: 1e9, Allocs: 5}, figure{NS: 1}, true, true},
		{goal{allocs: 5}, figure{NS: 1, Allocs: 6}, figure{NS: 1}, false, false},
	} {
		if got := test.goal.met(test.ours, test.peer, false); got != test.met {
			t.Errorf("goal %s, ours %+v, peer %+v: met is %v", test.goal, test.ours, test.peer, got)
		}
		if got := test.goal.met(test.ours, test.peer, true); got != test.onlyAllocs {
			t.Errorf("goal %s, allocations of %+v alone: met is %v", test.goal, test.ours, got)
		}
	}
}
