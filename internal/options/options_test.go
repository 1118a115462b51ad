package options_test

import (
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/options"
)

func TestAllFaultsAreReportedAtOnceWithFieldValueAndRule(t *testing.T) {
	f := options.Check("joist/cache", "Options")
	f.Require(false, "TTL", -time.Second, "must not be negative")
	f.Require(true, "Jitter", 0.1, "must be below 1")
	f.Missing("Load")
	f.Name("a\nb")
	err := f.Err()
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"joist/cache: Options.TTL is -1s, but must not be negative",
		"joist/cache: Options.Load is not set, but it is required",
		`joist/cache: Options.Name is "a\nb", but must be at most 128 bytes of UTF-8 without control characters`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Fatalf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestNoFaultIsNoError(t *testing.T) {
	f := options.Check("joist/cache", "Options")
	f.Name("users-api_1.ü")
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAHugeNameIsShownShort(t *testing.T) {
	f := options.Check("joist/cache", "Options")
	f.Name(strings.Repeat("x", 1<<20))
	if n := len(f.Err().Error()); n > 400 {
		t.Fatalf("the error is %d bytes long", n)
	}
}
