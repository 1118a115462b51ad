package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOneBreakerForAllEndpointsTurnsAPartialOutageIntoALargerOne(t *testing.T) {
	t.Parallel()
	failed := [][2]float64{{0.004, 0.02}, {0.004, 0.02}, {0.25, 0.5}, {0, 0.002}}
	for i, p := range outagePolicies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for seed := range seedsTested {
				r := simulate(t, scenario{policy: p, load: outageLoad, seed: seed + 1, length: time.Minute, dead: 1})
				got := r.failed()
				t.Logf("%.4f of the calls fail, the slowest 1 %% takes %v", got, r.p99)
				if got < failed[i][0] || got > failed[i][1] {
					t.Errorf("%.4f of the calls fail, want from %v to %v", got, failed[i][0], failed[i][1])
				}
			}
		})
	}
}

func TestTheCommandPrintsTheTableAndDrawsThePlots(t *testing.T) {
	folder := t.TempDir()
	var out strings.Builder
	if err := run([]string{"-load", "0.5", "-length", "1m", "-seeds", "1", "-plots", folder}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, p := range policies {
		if got := strings.Count(out.String(), "\n| 50 % | "+p.name+" |"); got != 1 {
			t.Errorf("%d rows of %s in\n%s", got, p.name, out.String())
		}
	}
	for _, p := range outagePolicies {
		if !strings.Contains(out.String(), "\n| "+p.name+" |") {
			t.Errorf("no row of %s with one server dead in\n%s", p.name, out.String())
		}
	}
	for _, name := range []string{"goodput.svg", "attempts.svg"} {
		if got, want := countLines(t, filepath.Join(folder, name)), len(policies); got != want {
			t.Errorf("%s has %d lines, want %d", name, got, want)
		}
	}
}

// countLines reads the plot as XML to its end.
func countLines(t *testing.T, file string) (n int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			n++
		}
	}
}

func TestEachSeedIsSimulatedOnce(t *testing.T) {
	const seeds = 5
	quiet := scenario{policy: policies[0], load: 0.05, length: 10 * time.Second}
	var got, want [][]float64
	for _, r := range <-simulateAll([]scenario{quiet}, seeds)[0] {
		got = append(got, r.calls)
	}
	for seed := range uint64(seeds) {
		quiet.seed = seed + 1
		want = append(want, simulate(t, quiet).calls) // when calls begin is the seed's alone
	}
	slices.SortFunc(got, slices.Compare)
	slices.SortFunc(want, slices.Compare)
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("calls per second are %v, want those of %d seeds, %v", got, seeds, want)
	}
}

func TestTheCommandSaysWhatItDoesNotUnderstand(t *testing.T) {
	for _, args := range [][]string{{"-load", "1.1"}, {"-length", "59s"}, {"-seeds", "0"}, {"more"}, {"-unknown"}} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
