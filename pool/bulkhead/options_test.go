package bulkhead_test

import (
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

func TestNewNamesFieldValueAndRuleOfWhatIsWrong(t *testing.T) {
	limit := bulkhead.Fixed(3)
	for name, c := range map[string]struct {
		options bulkhead.Options
		want    string
	}{
		"no limit":        {bulkhead.Options{}, "Options.Limit is not set, but it is required"},
		"limit 0":         {bulkhead.Options{Limit: bulkhead.Fixed(0)}, "Options.Limit is 0, but must be from 1 to 16777215"},
		"negative limit":  {bulkhead.Options{Limit: bulkhead.Fixed(-1)}, "Options.Limit is -1, but must be from 1 to 16777215"},
		"limit too large": {bulkhead.Options{Limit: bulkhead.Fixed(bulkhead.MaxLimit + 1)}, "Options.Limit is 16777216, but must be from 1"},
		"a pointer":       {bulkhead.Options{Limit: &limit}, "Options.Limit is \"a *bulkhead.Fixed\", but must be a Fixed, an AIMD or a Gradient"},
		"a bound":         {bulkhead.Options{Limit: bulkhead.AIMD{Min: 5, Max: 4}}, "Options.Limit.Max is 4, but must be from Min to"},
		"a backoff":       {bulkhead.Options{Limit: bulkhead.AIMD{Backoff: 1}}, "Options.Limit.Backoff is 1, but must be from 0.5 to below 1"},
		"a tolerance":     {bulkhead.Options{Limit: bulkhead.Gradient{Tolerance: 0.5}}, "Options.Limit.Tolerance is 0.5, but must be from 1 to 10"},
		"a queue":         {bulkhead.Options{Limit: limit, MaxQueue: -1}, "Options.MaxQueue is -1, but must be from 0"},
		"a lonely wait":   {bulkhead.Options{Limit: limit, MaxWait: time.Second}, "Options.MaxWait is 1s, but must be 0 without MaxQueue"},
		"a wait":          {bulkhead.Options{Limit: limit, MaxQueue: 1, MaxWait: -2}, "Options.MaxWait is -2ns, but must be positive or Unlimited"},
		"name":            {bulkhead.Options{Name: "a\nb", Limit: limit}, `Options.Name is "a\nb", but must be at most 128 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := bulkhead.New(c.options)
			if b != nil || err == nil || !strings.Contains(err.Error(), "joist/bulkhead: "+c.want) {
				t.Errorf("got %v, %v", b, err)
			}
		})
	}
}

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	_, err := bulkhead.New(bulkhead.Options{Name: strings.Repeat("x", 129)})
	if err == nil || !strings.Contains(err.Error(), "Options.Name") || !strings.Contains(err.Error(), "Options.Limit") {
		t.Errorf("got %v", err)
	}
}

func TestTheNameOfANamelessBulkheadIsDefault(t *testing.T) {
	b, err := bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(1)})
	if err != nil {
		t.Fatal(err)
	}
	h := hold(b)
	if err := b.Do(t.Context(), nothing); err == nil || err.Error() != `joist/bulkhead: "default" is full: 1 of 1 calls in flight` {
		t.Errorf("got %v", err)
	}
	h.end()
}

func TestTheLargestLimitIsUsable(t *testing.T) {
	b, err := bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(bulkhead.MaxLimit)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Do(t.Context(), nothing); err != nil {
		t.Error(err)
	}
	if got := b.Stats().Limit; got != bulkhead.MaxLimit {
		t.Errorf("limit %d", got)
	}
}

func TestTheLimitBeginsWithinItsBounds(t *testing.T) {
	for _, c := range []struct {
		limit bulkhead.Limit
		want  int
	}{
		{bulkhead.AIMD{}, bulkhead.DefaultInitial},
		{bulkhead.AIMD{Max: 5}, 5},
		{bulkhead.Gradient{Min: 30}, 30},
		{bulkhead.Gradient{Min: 5000}, 5000},
		{bulkhead.Gradient{Initial: 7}, 7},
	} {
		if got := limited(t, c.limit).Stats().Limit; got != c.want {
			t.Errorf("%+v: %d, want %d", c.limit, got, c.want)
		}
	}
}

func TestTheTextsOfRefusalsTellTheirReason(t *testing.T) {
	const full = `joist/bulkhead: "users" is full: 3 of 3 calls in flight`
	for want, e := range map[string]*bulkhead.FullError{
		full:                                   {Reason: bulkhead.ReasonFull},
		full + ", 2 queued":                    {Reason: bulkhead.ReasonFull, Queued: 2},
		full + "; waited for too long":         {Reason: bulkhead.ReasonWait},
		full + "; shed from the queue":         {Reason: bulkhead.ReasonShed},
		full + "; no slot before the deadline": {Reason: bulkhead.ReasonDeadline},
	} {
		e.Name, e.Limit, e.InFlight = "users", 3, 3
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for r, want := range map[bulkhead.Reason]string{
		bulkhead.ReasonFull: "full", bulkhead.ReasonWait: "wait", bulkhead.ReasonShed: "shed", bulkhead.ReasonDeadline: "deadline", 9: "Reason(9)",
	} {
		if got := r.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
