package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/joist-go/joist/pool"
)

// The table of a million: each contender runs a million tasks, which count and do nothing else, in a process of its own,
// and tells the time from the first call to the end of the last task. Its peak of memory is what the operating system
// says of the process. Rounds are interleaved, and the medians are printed.
const (
	million       = 1_000_000
	millionRounds = 5
	millionModule = "github.com/sourcegraph/conc"
)

// millionContender runs n tasks and returns once all have ended.
type millionContender struct {
	name, module, settings string
	run                    func(n int, task func()) error
}

var millionContenders = []millionContender{
	{"joist", "", "Go; 16 workers, a queue of 1024, Block", millionOurs},
	{"ants", antsModule, "Submit; 16 workers, preallocated, never purged", millionAnts},
	{"pond", pondModule, "Go; 16 workers, a queue of 1024", millionPond},
	{"conc", millionModule, "Go; 16 goroutines", millionConc},
	{"errgroup", "golang.org/x/sync", "Go; a limit of 16", millionErrgroup},
	{"goroutines", "", "go; no limit", millionGoroutines},
}

func millionOurs(n int, task func()) error {
	p, err := pool.New(pool.Options{Workers: poolWorkers, Queue: poolQueue})
	if err != nil {
		return err
	}
	fn := func(context.Context) { task() }
	for range n {
		if err := p.Go(ctx, fn); err != nil {
			return err
		}
	}
	return p.Close(ctx)
}

func millionAnts(n int, task func()) error {
	p, err := ants.NewPool(poolWorkers, ants.WithPreAlloc(true), ants.WithDisablePurge(true))
	if err != nil {
		return err
	}
	defer p.Release()
	var wg sync.WaitGroup
	wg.Add(n)
	fn := func() { task(); wg.Done() }
	for range n {
		if err := p.Submit(fn); err != nil {
			return err
		}
	}
	wg.Wait()
	return nil
}

func millionPond(n int, task func()) error {
	p := pond.NewPool(poolWorkers, pond.WithQueueSize(poolQueue), pond.WithoutPanicRecovery())
	for range n {
		if err := p.Go(task); err != nil {
			return err
		}
	}
	p.StopAndWait()
	return nil
}

func millionConc(n int, task func()) error {
	p := concpool.New().WithMaxGoroutines(poolWorkers)
	for range n {
		p.Go(task)
	}
	p.Wait()
	return nil
}

func millionErrgroup(n int, task func()) error {
	var g errgroup.Group
	g.SetLimit(poolWorkers)
	fn := func() error { task(); return nil }
	for range n {
		g.Go(fn)
	}
	return g.Wait()
}

func millionGoroutines(n int, task func()) error {
	var wg sync.WaitGroup
	for range n {
		wg.Go(task)
	}
	wg.Wait()
	return nil
}

// serveMillion is a child: it runs a contender and writes its time in nanoseconds.
func serveMillion(name string, out io.Writer) error {
	i := slices.IndexFunc(millionContenders, func(c millionContender) bool { return c.name == name })
	if i < 0 {
		return fmt.Errorf("no contender %q", name)
	}
	var ran atomic.Int64
	began := time.Now()
	if err := millionContenders[i].run(million, func() { ran.Add(1) }); err != nil {
		return err
	}
	took := time.Since(began)
	if ran.Load() != million {
		return fmt.Errorf("%s ran %d tasks of %d", name, ran.Load(), million)
	}
	_, err := fmt.Fprintln(out, took.Nanoseconds())
	return err
}

// millionFigure is what one run took.
type millionFigure struct{ ns, peak float64 }

// writeMillion runs the contenders in children and writes the table. It reports whether the goals are met: at least 4 times
// as many tasks per second as ants, in no more than its memory.
func writeMillion(ctx context.Context, out io.Writer) (met bool, err error) {
	binary, err := os.Executable()
	if err != nil {
		return false, err
	}
	figures := make(map[string][]millionFigure)
	for range millionRounds {
		for _, c := range millionContenders {
			f, err := runMillion(ctx, binary, c.name)
			if err != nil {
				return false, fmt.Errorf("%s: %w", c.name, err)
			}
			figures[c.name] = append(figures[c.name], f)
		}
	}
	middle := func(name string, of func(millionFigure) float64) float64 {
		var all []float64
		for _, f := range figures[name] {
			all = append(all, of(f))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	took := func(name string) float64 { return middle(name, func(f millionFigure) float64 { return f.ns }) }
	peak := func(name string) float64 { return middle(name, func(f millionFigure) float64 { return f.peak }) }
	fmt.Fprintf(out, "%-11s %9s %13s %10s  %s\n", "million", "time", "tasks/s", "peak", "settings")
	for _, c := range millionContenders {
		fmt.Fprintf(out, "%-11s %6.0f ms %10.1f M/s %6.1f MiB  %s%s\n", c.name, took(c.name)/1e6, million/took(c.name)*1e3,
			peak(c.name)/(1<<20), versioned(c.module), c.settings)
	}
	speed, memory := took("ants")/took("joist"), peak("joist")/peak("ants")
	// A process needs more than any pool does: what differs by less than a page or two in a hundred is the same.
	met = speed >= 4 && rounded(memory, 2) <= 1.02
	fmt.Fprintf(out, "million beside ants: %.1f × the tasks per second, goal 4.0; %.2f × the memory, goal 1.0 to 2 %%; %s\n",
		speed, memory, verdict(met))
	return met, nil
}

func versioned(module string) string {
	if v := version(module); v != "" {
		return v + "; "
	}
	return ""
}

func runMillion(ctx context.Context, binary, name string) (millionFigure, error) {
	cmd := exec.CommandContext(ctx, binary, "-million-child", name)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return millionFigure{}, err
	}
	ns, err := strconv.ParseFloat(string(bytes.TrimSpace(text)), 64)
	if err != nil {
		return millionFigure{}, err
	}
	peak, ok := peakMemory(cmd.ProcessState)
	if !ok {
		return millionFigure{}, errors.New("this system does not tell the peak of a process's memory")
	}
	return millionFigure{ns, float64(peak)}, nil
}
