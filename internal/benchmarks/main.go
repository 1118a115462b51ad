package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

const (
	exitMissed = 1
	exitBroken = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code, err := command(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
	}
	os.Exit(code)
}

// command runs the program with the given arguments and returns its exit code.
func command(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) (int, error) {
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.SetOutput(errOut)
	var (
		only     = flags.String("only", "", "measure only this `BLOCK or BLOCK/CASE`")
		quick    = flags.Bool("quick", false, "take fewer and shorter slices: at most 45 s per block")
		asJSON   = flags.Bool("json", false, "print one JSON document instead of lines")
		markdown = flags.Bool("markdown", false, "print the README's table instead of lines")
		allocs   = flags.Bool("allocs", false, "let only the allocation goals decide, and take times in passing")
		list     = flags.Bool("list", false, "list blocks, cases, peers and goals, and measure nothing")
		table    = flags.Bool("million", false, "print the table of a million tasks beside other pools, with the peak of memory")
		one      = flags.String("million-child", "", "run a million tasks with this `CONTENDER` and print the time")
		child    = flags.String("child", "", "serve the `BLOCK/CASE` to a parent process that measures telemetry")
	)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0, nil
		}
		return exitBroken, nil // flag has told already
	}
	if flags.NArg() > 0 {
		return exitBroken, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *child != "" {
		return exitIf(serveChild(*child, in, out))
	}
	if *one != "" {
		return exitIf(serveMillion(*one, out))
	}
	if *table {
		met, err := writeMillion(ctx, out)
		switch {
		case err != nil:
			return exitBroken, err
		case !met:
			return exitMissed, nil
		}
		return 0, nil
	}
	chosen, err := selected(*only)
	if err != nil {
		return exitBroken, err
	}
	if *list {
		writeList(out, chosen)
		return 0, nil
	}
	m := &measurement{plan: fullPlan, onlyAllocs: *allocs, out: out}
	if *quick {
		m.plan = quickPlan
	}
	if *allocs {
		m.plan = allocsPlan
	}
	if *asJSON || *markdown {
		m.out = errOut // progress
	}
	if err := m.run(ctx, chosen); err != nil {
		return exitBroken, err
	}
	switch {
	case *asJSON:
		err = m.report.writeJSON(out)
	case *markdown:
		err = m.report.writeMarkdown(out)
	}
	if err != nil {
		return exitBroken, err
	}
	if missed := m.report.missed(); missed > 0 {
		return exitMissed, fmt.Errorf("%d of %d goals missed", missed, len(m.report.Rows))
	}
	return 0, nil
}

func exitIf(err error) (int, error) {
	if err != nil {
		return exitBroken, err
	}
	return 0, nil
}

// writeList writes each case with what one call is, and its goals.
func writeList(w io.Writer, chosen []block) {
	for _, b := range chosen {
		for _, c := range b.cases {
			fmt.Fprintf(w, "%s/%s: %s\n", b.name, c.name, c.about)
			for _, g := range goals {
				if g.block == b.name && g.name == c.name {
					for _, m := range g.modes {
						fmt.Fprintf(w, "\tpeer=%s mode=%s goal=%s\n", g.peer, m, g)
					}
				}
			}
		}
	}
}
