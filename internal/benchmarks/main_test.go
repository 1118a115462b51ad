package main

import (
	"strings"
	"testing"
)

func runCommand(t *testing.T, args ...string) (code int, out string, err error) {
	t.Helper()
	var stdout, stderr strings.Builder
	code, err = command(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), err
}

func TestTheListNamesEveryCaseAndEveryGoal(t *testing.T) {
	code, out, err := runCommand(t, "-list")
	if code != 0 || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	for _, b := range blocks {
		for _, c := range b.cases {
			if !strings.Contains(out, b.name+"/"+c.name+": ") {
				t.Errorf("%s/%s is not listed", b.name, c.name)
			}
		}
	}
	want := 0
	for _, g := range goals {
		want += len(g.modes)
	}
	if got := strings.Count(out, "goal="); got != want {
		t.Errorf("%d goals listed, want %d", got, want)
	}
}

func TestOnlyChoosesABlockOrACase(t *testing.T) {
	for _, test := range []struct {
		only          string
		blocks, cases int
	}{
		{"", len(blocks), 0},
		{"cache", 1, len(cacheCases)},
		{"cache/hit", 1, 1},
	} {
		got, err := selected(test.only)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != test.blocks || test.cases > 0 && len(got[0].cases) != test.cases {
			t.Errorf("-only %q chose %d blocks", test.only, len(got))
		}
	}
}

func TestWhatCannotBeMeasuredEndsWithTwo(t *testing.T) {
	for _, args := range [][]string{
		{"-only", "nothing"}, {"-only", "cache/nothing"}, {"-only", "cache/"}, {"-only", "/hit"}, {"cache"}, {"-unknown"},
	} {
		if code, _, _ := runCommand(t, args...); code != exitBroken {
			t.Errorf("%q ended with %d, want %d", args, code, exitBroken)
		}
	}
}

func TestARunPrintsOneLineForEachGoalOfTheCase(t *testing.T) {
	code, out, err := runCommand(t, "-only", "retry/success", "-allocs")
	if code != 0 || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	for _, peer := range []string{"avast", "cenkalti"} {
		for _, m := range modes {
			prefix := "ratio retry/success mode=" + string(m) + " ours="
			found := 0
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, prefix) && strings.Contains(line, " peer="+peer+":") {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%d lines for %s in mode %s, want 1:\n%s", found, peer, m, out)
			}
		}
	}
	for _, want := range []string{"machine ", "floor empty-loop mode=serial", "settings retry/success avast v5", "noise others="} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestAMissedGoalEndsWithOne(t *testing.T) {
	keep := goals
	t.Cleanup(func() { goals = keep })
	goals = []goal{{"bulkhead", "do", "semaphore", both, 0, 0.001, 0, 0}, {"bulkhead", "do", "channel", both, 0, 0, 0, 0}}
	plan := fullPlan
	t.Cleanup(func() { fullPlan = plan })
	fullPlan = allocsPlan
	code, out, err := runCommand(t, "-only", "bulkhead/do")
	if code != exitMissed || err == nil || !strings.Contains(out, " FAIL floor=") {
		t.Errorf("exit code %d, %v:\n%s", code, err, out)
	}
	if code, out, err = runCommand(t, "-only", "bulkhead/do", "-allocs"); code != 0 || err != nil {
		t.Errorf("with -allocs times must not decide: exit code %d, %v:\n%s", code, err, out)
	}
}

func TestARowWithoutAGoalIsAnError(t *testing.T) {
	keep := goals
	t.Cleanup(func() { goals = keep })
	goals = nil
	if code, _, err := runCommand(t, "-only", "bulkhead/do", "-allocs"); code != exitBroken || err == nil {
		t.Errorf("exit code %d, %v", code, err)
	}
}
