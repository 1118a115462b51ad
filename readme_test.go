package joist_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/throttle"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool"
	"github.com/joist-go/joist/pool/balance"
	"github.com/joist-go/joist/pool/batch"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/flight"
	"github.com/joist-go/joist/ratelimit"
)

func TestTheReadmesCompositionIsTheExample(t *testing.T) {
	blocks := goBlocks(read(t, "README.md"))
	if len(blocks) == 0 {
		t.Fatal("README.md has no block of Go code")
	}
	if code := blocks[0]; !strings.Contains(read(t, "example_compose_test.go"), code) {
		t.Errorf("this code is in README.md, but not in the example that is compiled and run:\n%s", code)
	}
}

// refusals are the errors that say a call was not made, with the sentinel of each.
var refusals = map[string]struct{ err, sentinel error }{
	"ratelimit.LimitedError":  {&ratelimit.LimitedError{}, ratelimit.ErrLimited},
	"breaker.OpenError":       {&breaker.OpenError{}, breaker.ErrOpen},
	"throttle.ThrottledError": {&throttle.ThrottledError{}, throttle.ErrThrottled},
	"bulkhead.FullError":      {&bulkhead.FullError{}, bulkhead.ErrFull},
	"pool.FullError":          {&pool.FullError{}, pool.ErrFull},
	"cache.BackoffError":      {&cache.BackoffError{}, cache.ErrBackoff},
	"cache.ClosedError":       {&cache.ClosedError{}, cache.ErrClosed},
	"flight.ClosedError":      {&flight.ClosedError{}, flight.ErrClosed},
	"pool.ClosedError":        {&pool.ClosedError{}, pool.ErrClosed},
	"balance.NoneError":       {&balance.NoneError{}, balance.ErrNone},
	"batch.FullError":         {&batch.FullError{}, batch.ErrFull},
	"batch.ClosedError":       {&batch.ClosedError{}, batch.ErrClosed},
}

func TestEveryRefusalHasItsSentinelAndItsMethods(t *testing.T) {
	for name, r := range refusals {
		if !errors.Is(r.err, r.sentinel) {
			t.Errorf("%s: errors.Is does not find %q", name, r.sentinel)
		}
		refusal, ok := r.err.(interface { //nolint:errorlint // the type itself is asked
			Refused() bool
		})
		if !ok || !refusal.Refused() {
			t.Errorf("%s does not say that it is a refusal", name)
		}
	}
}

// Any type whose method Refused may say yes is in the README's table, and nothing else is.
func TestTheReadmesTableHasEveryRefusal(t *testing.T) {
	method := regexp.MustCompile(`(?m)^func \(\w+ \*([A-Z]\w*)\) Refused\(\) bool(.*)$`)
	declared := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (d.Name()[0] == '.' || file == "internal" || file == "examples"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		for _, found := range method.FindAllStringSubmatch(read(t, file), -1) {
			if strings.TrimSpace(found[2]) != "{ return false }" { // one that keeps what it wraps from passing for a refusal
				declared[filepath.Base(filepath.Dir(file))+"."+found[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `\\*(\\w+\\.\\w+)`.*").FindAllStringSubmatch(read(t, "README.md"), -1) {
		rows[row[1]] = true
		pkg, typ, _ := strings.Cut(row[1], ".")
		sentinel := "`" + pkg + ".Err" + strings.TrimSuffix(typ, "Error") + "`"
		if row[1] != "retry.Error" && !strings.Contains(row[0], sentinel) {
			t.Errorf("the row does not name the sentinel %s: %s", sentinel, row[0])
		}
	}
	for name := range declared {
		if !rows[name] {
			t.Errorf("%s is a refusal, but has no row in README.md", name)
		}
		if _, ok := refusals[name]; !ok && name != "retry.Error" { // which is one only if all its attempts were
			t.Errorf("%s is a refusal, but is not in this test's list", name)
		}
	}
	for name := range rows {
		if !declared[name] {
			t.Errorf("%s has a row in README.md, but no such refusal is declared", name)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
