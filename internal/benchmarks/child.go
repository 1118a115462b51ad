package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// A parent asks its child in lines, and gets a line for each: "run MODE CALLS" is answered by the nanoseconds that it
// took, "allocs 0 0" by the allocations of one call. The child ends with its input.

// serveChild answers a parent for ours of one case.
func serveChild(name string, in io.Reader, out io.Writer) error {
	chosen, err := selected(name)
	if err != nil {
		return err
	}
	env := &environment{sdk: newSDK()}
	defer env.close()
	l, err := chosen[0].cases[0].setup(env)
	if err != nil {
		return err
	}
	ours := newLocal(l.ours)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := answer(ours, lines.Text(), out); err != nil {
			return err
		}
	}
	return nil
}

func answer(r racer, line string, out io.Writer) error {
	var verb, in string
	var calls int
	if _, err := fmt.Sscan(line, &verb, &in, &calls); err != nil {
		return fmt.Errorf("request %q: %w", line, err)
	}
	m := mode(in)
	switch {
	case !slices.Contains(modes, m) || calls < 0:
		return fmt.Errorf("request %q: unknown mode or number", line)
	case verb == "allocs":
		allocs, err := r.allocs()
		if err == nil {
			_, err = fmt.Fprintln(out, allocs)
		}
		return err
	case verb == "run":
		took, err := r.run(m, calls)
		if err == nil {
			_, err = fmt.Fprintln(out, took.Nanoseconds())
		}
		return err
	default:
		return fmt.Errorf("request %q: unknown verb", line)
	}
}

// child is a racer in another process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(ctx context.Context, binary, caseName string) (*child, error) {
	cmd := exec.CommandContext(ctx, binary, "-child", caseName)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// stop ends the child and waits for it.
func (c *child) stop() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

func (c *child) run(m mode, n int) (time.Duration, error) {
	var took time.Duration
	err := c.ask(&took, "run", m, n)
	return took, err
}

func (c *child) allocs() (float64, error) {
	var allocs float64
	err := c.ask(&allocs, "allocs", serial, 0)
	return allocs, err
}

func (c *child) ask(answer any, verb string, m mode, n int) error {
	if _, err := fmt.Fprintln(c.in, verb, m, n); err != nil {
		return fmt.Errorf("asking the child: %w", err)
	}
	if _, err := fmt.Fscanln(c.out, answer); err != nil {
		return fmt.Errorf("the child gave no answer: %w", err)
	}
	return nil
}
