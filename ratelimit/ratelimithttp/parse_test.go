package ratelimithttp_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func TestPoliciesAreParsed(t *testing.T) {
	type policies = []ratelimithttp.QuotaPolicy
	for value, want := range map[string]policies{
		``:                          nil,
		`  `:                        nil,
		`"default";q=100;w=10`:      {{Name: "default", Quota: 100, Unit: "requests", Window: 10 * time.Second}},
		"\"a\";q=0 \t,\t \"b\";q=1": {{Name: "a", Unit: "requests"}, {Name: "b", Quota: 1, Unit: "requests"}},
		`"peruser";q=65535;qu="content-bytes";w=10;pk=:aGVsbG8=:`: {
			{Name: "peruser", Quota: 65535, Unit: "content-bytes", Window: 10 * time.Second, PartitionKey: "hello"},
		},
		`"unpadded";q=1;pk=:aGVsbG8:`:       {{Name: "unpadded", Quota: 1, Unit: "requests", PartitionKey: "hello"}},
		`"a\"\\ b";q=1`:                     {{Name: `a"\ b`, Quota: 1, Unit: "requests"}},
		`"twice";q=1;w=x;q=2;w=3`:           {{Name: "twice", Quota: 2, Unit: "requests", Window: 3 * time.Second}},
		`"long";q=1;w=999999999999999`:      {{Name: "long", Quota: 1, Unit: "requests", Window: math.MaxInt64}},
		`"less";q=1;w=9223372036`:           {{Name: "less", Quota: 1, Unit: "requests", Window: 9_223_372_036 * time.Second}},
		`"x";q=1;a;b=?0;c=*t/x:;d=-1.125`:   {{Name: "x", Quota: 1, Unit: "requests"}},
		`"x"; q=1;  e=@-7;f=%"%c3%a4";g=""`: {{Name: "x", Quota: 1, Unit: "requests"}},
	} {
		got, err := ratelimithttp.ParsePolicies(http.Header{"Ratelimit-Policy": {value}})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", value, got, err)
		}
	}
}

func TestLimitsAreParsedOverAllLines(t *testing.T) {
	h := http.Header{}
	h.Add("RateLimit", `"default";r=50;t=30`)
	h.Add("RateLimit", `"a";r=0;t=0, "b";r=999;pk=:dHJpYWwxMjEzMjM=:`)
	got, err := ratelimithttp.ParseLimits(h)
	want := []ratelimithttp.ServiceLimit{
		{Name: "default", Remaining: 50, Reset: 30 * time.Second, HasReset: true},
		{Name: "a", HasReset: true},
		{Name: "b", Remaining: 999, PartitionKey: "trial121323"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ratelimithttp.ParseLimits(http.Header{}); got != nil || err != nil {
		t.Errorf("no field: %v, %v", got, err)
	}
}

func TestMalformedFieldsAreNotParsed(t *testing.T) {
	for _, value := range []string{
		`"a"`, `"a";r`, `"a";r=`, `"a";r=-1`, `"a";r=1.0`, `"a";r="1"`, `"a";r=1;t=-1`, `"a";r=1;t=x`, `"a";r=1;pk="x"`, `"a";r=1;t`,
		`a;r=1`, `1;r=1`, `:YQ==:;r=1`, `?1;r=1`, `("a");r=1`, `("a";r=1)`, `"a";r=1,`, `,"a";r=1`, `"a";r=1,,"b";r=1`, `"a";r=1 "b";r=1`,
		`"a;r=1`, `"a\n";r=1`, `"a\`, "\"a\n\";r=1", `"ä";r=1`, `"a";R=1`, `"a";r =1`, `"a";r= 1`, `"a" ;r=1`, "\t\"a\";r=1",
		`"a";r=1;x=`, `"a";r=1;`, `"a";r=1;x=1.`, `"a";r=1;x=1.1234`, `"a";r=1234567890123456`, `"a";r=1;x=1234567890123.1`, `"a";r=1;x=-`,
		`"a";r=1;x=?2`, `"a";r=1;x=@1.0`, `"a";r=1;x=%"%C3"`, `"a";r=1;x=%"%ff"`, `"a";r=1;x=%"%a`, `"a";r=1;x=%a`, `"a";r=1;x=:a:`,
		`"a";r=1;x=:YQ=:`, `"a";r=1;x=:YQ===:`, `"a";r=1;x=:Y=Q=:`, `"a";r=1;x=:YQ`, `"a";r=1;x={}`, `"a";r=1;1=1`,
	} {
		got, err := ratelimithttp.ParseLimits(http.Header{"Ratelimit": {value}})
		if !errors.Is(err, ratelimithttp.ErrMalformed) || got != nil {
			t.Errorf("%q: %v, %v", value, got, err)
		}
	}
	for _, value := range []string{`"a";w=1`, `"a";q=1;w=0`, `"a";q=1;w=-1`, `"a";q=1;qu=requests`, `"a";q=-1`, `"a";q=1;pk=a`} {
		if got, err := ratelimithttp.ParsePolicies(http.Header{"Ratelimit-Policy": {value}}); !errors.Is(err, ratelimithttp.ErrMalformed) {
			t.Errorf("%q: %v, %v", value, got, err)
		}
	}
}

func TestWhatIsParsedIsBounded(t *testing.T) {
	var lines []string
	for i := range 64 {
		lines = append(lines, fmt.Sprintf(`"%d";r=1`, i))
	}
	if got, err := ratelimithttp.ParseLimits(http.Header{"Ratelimit": lines}); err != nil || len(got) != 64 {
		t.Errorf("64 members: %d, %v", len(got), err)
	}
	for name, lines := range map[string][]string{
		"65 members":  append(lines, `"x";r=1`),
		"17 KiB":      {`"x";r=1;x="` + strings.Repeat("x", 17<<10) + `"`},
		"empty lines": make([]string, 20_000),
	} {
		if got, err := ratelimithttp.ParseLimits(http.Header{"Ratelimit": lines}); !errors.Is(err, ratelimithttp.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestWhatTheMiddlewareTellsIsParsed(t *testing.T) {
	h := limit(t, ratelimit.PerHour(4).Named(`a "quoted\" one`), limit(t, ratelimit.PerHour(1).Named("inner"), hello))
	serve(h, "192.0.2.1:1")
	w := serve(h, "192.0.2.1:1")
	limits, err := ratelimithttp.ParseLimits(w.Header())
	if want := `[{a "quoted\" one 2 15m0s true } {inner 0 1h0m0s true }]`; err != nil || fmt.Sprint(limits) != want {
		t.Errorf("%v, %v", limits, err)
	}
	policies, err := ratelimithttp.ParsePolicies(w.Header())
	if want := `[{a "quoted\" one 4 requests 1h0m0s } {inner 1 requests 1h0m0s }]`; err != nil || fmt.Sprint(policies) != want {
		t.Errorf("%v, %v", policies, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`"default";q=100;w=10;r=50;t=30`, `"a";r=1, "b";r=2;pk=:YQ==:`, `("a" "b");r=1`, `"a\"";r=1;x=@5;y=%"%c3%a4"`, `"a";r=0;r=?1`, `a;b;c=1.5`,
	} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		lines := []string{first, second}
		limits, err := ratelimithttp.ParseLimits(http.Header{"Ratelimit": lines})
		if (err != nil) && limits != nil || len(limits) > 64 {
			t.Errorf("%q: %d limits, %v", lines, len(limits), err)
		}
		for _, l := range limits {
			if l.Remaining < 0 || l.Reset < 0 || l.Reset > 0 && !l.HasReset {
				t.Errorf("%q: %+v", lines, l)
			}
		}
		policies, err := ratelimithttp.ParsePolicies(http.Header{"Ratelimit-Policy": lines})
		if (err != nil) && policies != nil {
			t.Errorf("%q: %v, %v", lines, policies, err)
		}
		for _, p := range policies {
			if p.Quota < 0 || p.Window < 0 || strings.ContainsAny(p.Name+p.Unit, "\n\x00\x7f") {
				t.Errorf("%q: %+v", lines, p)
			}
		}
	})
}
