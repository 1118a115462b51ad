package retryhttp

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAnAttemptNumberIsBelievedWithinItsBounds(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   int // 0: ignored
	}{
		{nil, 0},
		{[]string{}, 0},
		{[]string{""}, 0},
		{[]string{"0"}, 0},
		{[]string{"1"}, 0},
		{[]string{"2"}, 2},
		{[]string{"0003"}, 3},
		{[]string{"999"}, 999},
		{[]string{"1000"}, 1000},
		{[]string{"1001"}, 1000},
		{[]string{strconv.Itoa(math.MaxInt)}, 1000},
		{[]string{strings.Repeat("9", 10_000)}, 1000},
		{[]string{"-2"}, 0},
		{[]string{"+2"}, 0},
		{[]string{" 2"}, 0},
		{[]string{"2 "}, 0},
		{[]string{"2.0"}, 0},
		{[]string{"0x2"}, 0},
		{[]string{"2e1"}, 0},
		{[]string{"2, 2"}, 0},
		{[]string{"２"}, 0}, // a digit, but none of ours
		{[]string{"2", "2"}, 0},
		{[]string{"", "2"}, 0},
	} {
		got, ok := parseAttempt(c.values)
		if ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%.40q is attempt %d, %v, want %d", c.values, got, ok, c.want)
		}
	}
}

func TestATimeoutIsBelievedWithinItsBounds(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		values []string
		want   time.Duration
	}{
		{nil, none},
		{[]string{""}, none},
		{[]string{"0"}, 0},
		{[]string{"000"}, 0},
		{[]string{"350"}, 350 * time.Millisecond},
		{[]string{"86400000"}, 24 * time.Hour},
		{[]string{"86400001"}, none},
		{[]string{strconv.Itoa(math.MaxInt)}, none},
		{[]string{strings.Repeat("9", 10_000)}, none},
		{[]string{"-1"}, none},
		{[]string{"+1"}, none},
		{[]string{"1s"}, none},
		{[]string{"1.5"}, none},
		{[]string{"350, 350"}, none},
		{[]string{"350", "350"}, none},
	} {
		got, ok := parseTimeout(c.values)
		if ok != (c.want != none) || ok && got != c.want {
			t.Errorf("%.40q is %v, %v, want %v", c.values, got, ok, c.want)
		}
	}
}

// Both parsers beside numbers without bounds.
func FuzzWhatACallerTells(f *testing.F) {
	for _, seed := range []string{"", "0", "1", "2", "350", "-5", "86400000", "86400001", "9223372036854775808", "007", "2,3", "２"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var want *big.Int
		if strings.Trim(value, "0123456789") == "" && value != "" {
			want, _ = new(big.Int).SetString(value, 10)
		}
		number, again := parseAttempt([]string{value})
		switch {
		case want == nil || want.Cmp(big.NewInt(2)) < 0:
			if again {
				t.Errorf("%q is attempt %d", value, number)
			}
		case !again || int64(number) != minBig(want, MaxAttempt):
			t.Errorf("%q is attempt %d, %v", value, number, again)
		}
		left, limited := parseTimeout([]string{value})
		most := MaxTimeout.Milliseconds()
		switch {
		case want == nil || want.Cmp(big.NewInt(most)) > 0:
			if limited {
				t.Errorf("%q is a timeout of %v", value, left)
			}
		case !limited || left != time.Duration(want.Int64())*time.Millisecond:
			t.Errorf("%q is a timeout of %v, %v", value, left, limited)
		}
	})
}

func minBig(n *big.Int, limit int64) int64 {
	if n.Cmp(big.NewInt(limit)) > 0 {
		return limit
	}
	return n.Int64()
}
