package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// telemetryCases run the hot path of each block with its counters and without.
var telemetryCases = []benchCase{
	{name: "cache", about: "cache/hit, with counters and without", twin: "cache/hit"},
	{name: "ratelimit", about: "ratelimit/allow, with counters and without", twin: "ratelimit/allow"},
	{name: "ratelimit-keyed", about: "ratelimit/keyed-1k, with counters and without", twin: "ratelimit/keyed-1k"},
	{name: "retry", about: "retry/success, with counters and without", twin: "retry/success"},
	{name: "breaker", about: "breaker/closed, with counters and without", twin: "breaker/closed"},
	{name: "pool", about: "pool/go, with counters and without", twin: "pool/go"},
	{name: "flight", about: "flight/distinct-keys, with counters and without", twin: "flight/distinct-keys"},
	{name: "bulkhead", about: "bulkhead/do, with counters and without", twin: "bulkhead/do"},
	{name: "balance", about: "balance/pick, with counters and without", twin: "balance/pick"},
}

// twinPeer is what the build without counters is called.
const twinPeer = "nocounters"

// twinRounds is how many times more rounds a telemetry case has than others: its figure is the difference of two times
// that are nearly the same.
const twinRounds = 3

// teamSize is how many children stand for each build.
const teamSize = 3

// team is several racers that take turns as one. Two processes of one program differ by more than counters cost: in
// where their memory lies, and in the habits that their schedulers fall into. A median over a few of them differs less.
type team struct {
	racers []racer
	turn   int
}

func (t *team) next() racer {
	t.turn++
	return t.racers[t.turn%len(t.racers)]
}

func (t *team) run(m mode, n int) (time.Duration, error) { return t.next().run(m, n) }
func (t *team) allocs() (float64, error)                 { return t.next().allocs() }

// twinCase runs a hot path in children of two kinds: this program as it is, and one built without counters.
func (m *measurement) twinCase(ctx context.Context, b block, c benchCase) (err error) {
	if m.twins == nil {
		if m.twins, err = buildTwins(ctx); err != nil {
			return err
		}
	}
	m.settings(settings{b.name + "/" + c.name, twinPeer, "", "the same code with internal/telemetry's counters doing nothing"})
	var racers []racer
	for _, binary := range []string{m.twins.counting, m.twins.silent} {
		t := new(team)
		for range teamSize {
			child, err := startChild(ctx, binary, c.twin)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, child.stop()) }()
			t.racers = append(t.racers, child)
		}
		racers = append(racers, t)
	}
	few := m.plan
	m.plan.rounds *= twinRounds
	defer func() { m.plan = few }()
	return m.race(ctx, b, c, []string{"joist", twinPeer}, racers, func() error { return nil })
}

// twins are the two builds of this program, in a directory of their own.
type twins struct {
	dir, counting, silent string
}

// buildTwins builds this program twice from its source, with the same flags but for the overlay.
func buildTwins(ctx context.Context) (*twins, error) {
	joist, err := moduleDir(ctx, "github.com/joist-go/joist")
	if err != nil {
		return nil, err
	}
	here, err := moduleDir(ctx, "github.com/joist-go/joist/internal/benchmarks")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "joist-benchmarks-")
	if err != nil {
		return nil, err
	}
	t := &twins{dir: dir, counting: filepath.Join(dir, "counting"), silent: filepath.Join(dir, "silent")}
	overlay := filepath.Join(dir, "overlay.json")
	replaced := map[string]map[string]string{"Replace": {
		filepath.Join(joist, "internal", "telemetry", "cell.go"): filepath.Join(here, "nocounters", "cell.go"),
	}}
	text, err := json.Marshal(replaced)
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err == nil {
		err = goBuild(ctx, here, "-o", t.counting, ".")
	}
	if err == nil {
		err = goBuild(ctx, here, "-overlay", overlay, "-o", t.silent, ".")
	}
	if err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

func (t *twins) remove() error {
	if t == nil {
		return nil
	}
	return os.RemoveAll(t.dir)
}

// moduleDir returns the directory of a module of this build's source.
func moduleDir(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the source of %s is not at hand (run this with go -C internal/benchmarks run .): %w", path, err)
	}
	return dir, nil
}

func goBuild(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
