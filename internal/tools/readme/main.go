// Command readme puts the benchmarks' table into README.md, between the lines
//
//	<!-- benchmarks:begin -->
//	<!-- benchmarks:end -->
//
// It is run in the root of the repository, and hands its arguments on to the benchmarks. A goal that the benchmarks miss
// is in the table like all others, and makes the command fail after the table was written.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

const (
	file  = "README.md"
	begin = "<!-- benchmarks:begin -->\n"
	end   = "<!-- benchmarks:end -->\n"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := splice(text, nil); err != nil { // before minutes of measuring
		return err
	}
	cmd := exec.CommandContext(context.Background(), "go", append([]string{"-C", "internal/benchmarks", "run", ".", "-markdown"}, args...)...)
	cmd.Stderr = os.Stderr
	table, runErr := cmd.Output()
	if len(bytes.TrimSpace(table)) == 0 {
		return errors.Join(errors.New("the benchmarks printed no table"), runErr)
	}
	spliced, err := splice(text, table)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(file, spliced, 0o600), runErr)
}

// splice returns text with what stands between its two markers replaced by table.
func splice(text, table []byte) ([]byte, error) {
	head, rest, ok := bytes.Cut(text, []byte(begin))
	if !ok {
		return nil, fmt.Errorf("%s has no line %q", file, begin)
	}
	_, tail, ok := bytes.Cut(rest, []byte(end))
	if !ok {
		return nil, fmt.Errorf("%s has no line %q after %q", file, end, begin)
	}
	return slices.Concat(head, []byte(begin), table, []byte(end), tail), nil
}
