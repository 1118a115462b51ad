// Command noskip runs go test and prints what go test prints, and in addition fails when a test was skipped.
//
//	noskip DIR [go test arguments]
//
// DIR is the directory of the module. A skipped test is a failure where the environment variable CI is set, and
// elsewhere a line at the end: a test that is skipped in CI proves nothing and nobody sees it.
//
// The exit code is go test's own, or 1 for skipped tests.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: noskip DIR [go test arguments]")
		os.Exit(2)
	}
	code, err := run(os.Args[1], os.Args[2:], os.Getenv("CI") != "", os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "noskip:", err)
	}
	os.Exit(code)
}

func run(dir string, args []string, strict bool, out io.Writer) (code int, err error) {
	cmd := exec.CommandContext(context.Background(), "go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 2, err
	}
	if err := cmd.Start(); err != nil {
		return 2, err
	}
	report := newReport(out)
	for lines := bufio.NewReader(stdout); ; {
		line, readErr := lines.ReadBytes('\n')
		if len(line) > 0 {
			report.add(line)
		}
		if readErr != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return max(exit.ExitCode(), 1), nil
		}
		return 2, err
	}
	for _, name := range report.skipped {
		fmt.Fprintln(out, "SKIPPED", name)
	}
	if len(report.skipped) > 0 && strict {
		return 1, fmt.Errorf("%d tests were skipped", len(report.skipped))
	}
	return 0, nil
}
