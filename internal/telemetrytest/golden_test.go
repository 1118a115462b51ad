package telemetrytest

import (
	"bufio"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const page = "../../docs/telemetry.md"

// The page is the promise, and the test has no copy of it: names and units are API.
func TestEveryInstrumentIsAsThePageSays(t *testing.T) {
	m := newMeters()
	release := useEverything(t, m)
	got := rows(t, m.points(t))
	release()
	want := documented(t)
	if testing.Verbose() {
		for _, r := range got {
			t.Log(r)
		}
	}
	if slices.Equal(got, want) {
		return
	}
	for _, r := range got {
		if !slices.Contains(want, r) {
			t.Errorf("not on the page:\n%s", r)
		}
	}
	for _, r := range want {
		if !slices.Contains(got, r) {
			t.Errorf("only on the page:\n%s", r)
		}
	}
}

var (
	heading = regexp.MustCompile("^### `(.+)`$")
	line    = regexp.MustCompile("^\\| `(joist\\.[^`]+)` \\| `([^`]+)` \\| (\\w+) \\| ([^|]*) \\|")
	attr    = regexp.MustCompile("^`([^`]+)` = (.+)$")
)

// documented reads the tables of the page.
func documented(t *testing.T) []row {
	t.Helper()
	file, err := os.Open(page)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var (
		all   []row
		scope string
	)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if m := heading.FindStringSubmatch(lines.Text()); m != nil {
			scope = m[1]
		}
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		all = append(all, row{scope, m[1], m[2], m[3], attributesOf(t, m[4])})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return sorted(all)
}

// attributesOf reads "`a` = x, y; `b` = z", and puts it in the order that rows has.
func attributesOf(t *testing.T, text string) string {
	t.Helper()
	attrs := make(map[string][]string)
	for part := range strings.SplitSeq(strings.TrimSpace(text), "; ") {
		if part == "" {
			continue
		}
		m := attr.FindStringSubmatch(part)
		if m == nil {
			t.Fatalf("not an attribute: %q", part)
		}
		attrs[m[1]] = strings.Split(m[2], ", ")
	}
	return attributesText(attrs)
}
