package ratelimit_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

func TestLimitsAreWrittenAsTheyAreRead(t *testing.T) {
	for want, l := range map[string]ratelimit.Limit{
		"default: 5 per 1s, burst 5":          ratelimit.PerSecond(5),
		"default: 5 per 1m0s, burst 2":        ratelimit.PerMinute(5).WithBurst(2),
		"hourly: 5 per 1h0m0s, burst 5":       ratelimit.PerHour(5).Named("hourly"),
		"daily: 5 per 24h0m0s, burst 7":       ratelimit.PerDay(5).WithBurst(7).Named("daily"),
		"default: 1 per 250ms, burst 1":       ratelimit.Every(250 * time.Millisecond),
		"default: unlimited":                  ratelimit.Unlimited(),
		"closed: none":                        ratelimit.None().Named("closed"),
		"trial (shadow): 5 per 1s, burst 5":   ratelimit.PerSecond(5).Named("trial").Shadowed(),
		"default: 3 per 1m30s, burst 3":       {Tokens: 3, Per: 90 * time.Second},
		"default: 1000000000 per 1s, burst 9": ratelimit.PerSecond(1e9).WithBurst(9),
	} {
		if got := l.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if _, err := ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{l}}); err != nil {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// Each field of the Options structs, with values that New must not take and the rule that it must name.
var invalid = []struct {
	field string
	set   func(name *string, limits *[]ratelimit.Limit, maxKeys *int)
	rule  string
}{
	{"Name", func(name *string, _ *[]ratelimit.Limit, _ *int) { *name = "a\nb" }, `"a\nb", but must be at most 128 bytes`},
	{"Limits", set(), "not set, but it is required"},
	{"Limits", set(make([]ratelimit.Limit, 9)...), "must hold at most 8 limits"},
	{"Limits[1].Name", set(ratelimit.PerSecond(1), ratelimit.PerHour(1)), `"default", but must differ from the names of the other`},
	{"Limits[2].Name", set(ratelimit.PerSecond(1), ratelimit.PerHour(1).Named("b"), ratelimit.PerDay(1).Named("b")), `"b", but must differ`},
	{"Limits[0].Name", set(ratelimit.PerSecond(1).Named("täglich")), "printable ASCII"},
	{"Limits[0].Name", set(ratelimit.PerSecond(1).Named("a\tb")), "printable ASCII"},
	{"Limits[0].Name", set(ratelimit.PerSecond(1).Named(strings.Repeat("a", 129))), "at most 128"},
	{"Limits[0].Tokens", set(ratelimit.PerSecond(0)), "not set, but it is required"},
	{"Limits[0].Tokens", set(ratelimit.PerSecond(-2)), "-2, but must be positive, or Infinite"},
	{"Limits[0].Tokens", set(ratelimit.PerSecond(1e9 + 1)), "1000000001, but must be at most one per nanosecond"},
	{"Limits[0].Per", set(ratelimit.Limit{Tokens: 1}), "not set, but it is required"},
	{"Limits[0].Per", set(ratelimit.Every(-time.Second)), "-1s, but must be positive"},
	{"Limits[0].Burst", set(ratelimit.PerSecond(1).WithBurst(-2)), "-2, but must be positive"},
	{"Limits[0].Burst", set(ratelimit.PerDay(1).WithBurst(26_690)), "26690, but the bucket must fill within 73 years"},
	{"Limits[0].Burst", set(ratelimit.Every(1<<61 + 1)), "1, but the bucket must fill within 73 years"},
	{"Limits[0].Burst", set(ratelimit.Limit{Tokens: 1, Per: math.MaxInt64, Burst: math.MaxInt64}), "the bucket must fill within 73 years"},
}

func set(limits ...ratelimit.Limit) func(*string, *[]ratelimit.Limit, *int) {
	return func(_ *string, l *[]ratelimit.Limit, _ *int) { *l = limits }
}

func TestNewNamesFieldValueAndRule(t *testing.T) {
	for _, tt := range invalid {
		t.Run(tt.field, func(t *testing.T) {
			o := ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerSecond(1)}}
			k := ratelimit.KeyedOptions[int]{Limits: o.Limits}
			tt.set(&o.Name, &o.Limits, nil)
			tt.set(&k.Name, &k.Limits, &k.MaxKeys)
			l, err := ratelimit.New(o)
			expect(t, l == nil, err, "joist/ratelimit: Options."+tt.field+" is ", tt.rule)
			keyed, err := ratelimit.NewKeyed(k)
			expect(t, keyed == nil, err, "joist/ratelimit: KeyedOptions."+tt.field+" is ", tt.rule)
		})
	}
	for _, o := range []ratelimit.Options{{MaxWait: -1}, {MaxWaiters: -1}, {MaxWaiters: 1e6 + 1}} {
		o.Limits = []ratelimit.Limit{ratelimit.PerSecond(1)}
		l, err := ratelimit.New(o)
		expect(t, l == nil, err, "joist/ratelimit: Options.MaxWait", "but must ")
	}
	for _, maxKeys := range []int{-1, 1e9 + 1} {
		_, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[int]{Limits: []ratelimit.Limit{ratelimit.PerSecond(1)}, MaxKeys: maxKeys})
		expect(t, true, err, "joist/ratelimit: KeyedOptions.MaxKeys is ", "but must be from 1 to 1e9")
	}
}

func expect(t *testing.T, none bool, err error, texts ...string) {
	t.Helper()
	if err == nil || !none {
		t.Fatalf("a block was made (%v), error %v", !none, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	_, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Name:    "\x00",
		Limits:  []ratelimit.Limit{{Name: "ä", Tokens: -3, Per: -1, Burst: -4}, {}},
		MaxKeys: -1,
	})
	expect(t, true, err, ".Name is", ".Limits[0].Name is", ".Limits[0].Tokens is", ".Limits[0].Per is",
		".Limits[0].Burst is", ".Limits[1].Tokens is", ".Limits[1].Per is", ".MaxKeys is")
}

func TestTheLargestLimitsAreTaken(t *testing.T) {
	for _, l := range []ratelimit.Limit{
		{Tokens: 1, Per: 1 << 61},
		{Tokens: 1 << 61, Per: 1 << 61},
		{Tokens: math.MaxInt64, Per: math.MaxInt64, Burst: 1 << 61},
		{Tokens: 1, Per: 1, Burst: 1 << 61},
		ratelimit.PerSecond(1e9),
		ratelimit.PerSecond(1).WithBurst(2_305_843_009),
	} {
		limiter, err := ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{l}})
		if err != nil {
			t.Errorf("%v: %v", l, err)
			continue
		}
		burst := l.Burst
		if burst == 0 {
			burst = l.Tokens
		}
		if !limiter.AllowN(burst) {
			t.Errorf("%v: the burst was denied", l)
		}
	}
}
