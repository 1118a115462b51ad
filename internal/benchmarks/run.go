package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// measurement runs cases and gathers what it finds. Lines go to out as they come.
type measurement struct {
	plan       plan
	onlyAllocs bool
	out        io.Writer
	report     report
	twins      *twins // built when the first case of the telemetry block runs
}

func (m *measurement) line(s fmt.Stringer) { fmt.Fprintln(m.out, s) }

func (m *measurement) run(ctx context.Context, chosen []block) (err error) {
	defer func() { err = errors.Join(err, m.twins.remove()) }()
	m.report.Machine = machine()
	fmt.Fprintln(m.out, "machine", m.report.Machine)
	if err := m.floors(ctx); err != nil {
		return err
	}
	for _, b := range chosen {
		if err := m.block(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (m *measurement) block(ctx context.Context, b block) error {
	meter := startNoise()
	for _, c := range b.cases {
		if err := m.benchCase(ctx, b, c); err != nil {
			return fmt.Errorf("%s/%s: %w", b.name, c.name, err)
		}
	}
	others, known := meter.others()
	m.report.Noise = append(m.report.Noise, noise{b.name, others, known})
	fmt.Fprintf(m.out, "%s during=%s\n", noiseText(others, known), b.name)
	return nil
}

func (m *measurement) benchCase(ctx context.Context, b block, c benchCase) error {
	if c.twin != "" {
		return m.twinCase(ctx, b, c)
	}
	env := &environment{sdk: newSDK()}
	defer env.close()
	l, err := c.setup(env)
	if err != nil {
		return err
	}
	entrants := append([]contender{l.ours}, l.peers...)
	names := make([]string, len(entrants))
	for i, e := range entrants {
		names[i] = e.name
		m.settings(settings{b.name + "/" + c.name, e.name, version(e.module), e.settings})
	}
	if l.floor != nil {
		entrants = append(entrants, *l.floor)
	}
	racers := make([]racer, len(entrants))
	for i, e := range entrants {
		racers[i] = newLocal(e)
	}
	return m.race(ctx, b, c, names, racers, func() error { return env.sdk.collect(ctx) })
}

func (m *measurement) settings(s settings) {
	m.report.Settings = append(m.report.Settings, s)
	m.line(s)
}

// race runs a case in both modes. The first racer is ours, the next ones are the peers, and one without a name after
// them is the floor.
func (m *measurement) race(
	ctx context.Context, b block, c benchCase, names []string, racers []racer, collect func() error,
) error {
	for _, in := range modes {
		var collectErr error
		figures, err := race(ctx, m.plan.stretched(c.longer), in, racers, func() { collectErr = collect() })
		if err != nil {
			return err
		}
		if collectErr != nil {
			return collectErr
		}
		for i, name := range names {
			figures[i].Name = name
		}
		var floor *float64
		if len(figures) > len(names) {
			floor = &figures[len(names)].NS
		}
		for _, peer := range figures[1:len(names)] {
			if err := m.row(b, c, in, figures[0], peer, floor); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *measurement) row(b block, c benchCase, in mode, ours, peer figure, floor *float64) error {
	g, ok := goalOf(b.name, c.name, peer.Name, in)
	if !ok {
		return fmt.Errorf("the table of goals has no row for peer %s, mode %s", peer.Name, in)
	}
	r := row{
		Block: b.name, Case: c.name, Mode: in, Ours: ours, Peer: peer, Ratio: ours.NS / peer.NS,
		Goal: g.String(), Pass: g.met(ours, peer, m.onlyAllocs), Floor: floor,
	}
	m.report.Rows = append(m.report.Rows, r)
	m.line(r)
	return nil
}

// floors measures the steps that hot paths are made of, each in both modes.
func (m *measurement) floors(ctx context.Context) error {
	racers := make([]racer, len(steps))
	for i, s := range steps {
		racers[i] = newLocal(s)
	}
	for _, in := range modes {
		figures, err := race(ctx, m.plan, in, racers, func() {})
		if err != nil {
			return err
		}
		for i, f := range figures {
			step := floorFigure{steps[i].name, steps[i].settings, in, f.NS}
			m.report.Floors = append(m.report.Floors, step)
			m.line(step)
		}
	}
	return nil
}

// machine describes where the figures come from.
func machine() string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s %s/%s, %d cores (GOMAXPROCS %d), %s",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), model)
}

// version returns the version of a module that this program was built with, or "" if it is not told.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok || module == "" {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return ""
}
