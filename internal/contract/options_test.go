package contract_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/breaker/throttle"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool"
	"github.com/joist-go/joist/pool/balance"
	"github.com/joist-go/joist/pool/batch"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/bulkhead/bulkheadhttp"
	"github.com/joist-go/joist/pool/flight"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// anyValue stands for a field that has no invalid value.
type anyValue struct{}

// common are the fields that every Options has.
var common = map[string][]any{
	"Name":           {strings.Repeat("x", 129), "a\nb", "\xff"},
	"MeterProvider":  {anyValue{}},
	"TracerProvider": {anyValue{}},
	"Logger":         {anyValue{}},
}

// optionsCase is one Options struct: a valid one, the invalid values of each field, and its constructor.
type optionsCase struct {
	valid   any
	invalid map[string][]any
	make    func(o any) error
}

var (
	badLimits = []any{
		[]ratelimit.Limit(nil),
		[]ratelimit.Limit{{}},
		[]ratelimit.Limit{ratelimit.PerSecond(2e9)},
		[]ratelimit.Limit{ratelimit.PerSecond(-2)},
		[]ratelimit.Limit{ratelimit.PerSecond(1).WithBurst(-2)},
		[]ratelimit.Limit{ratelimit.PerSecond(1).Named("a\nb")},
		[]ratelimit.Limit{ratelimit.PerSecond(1), ratelimit.PerMinute(1)}, // of one name
		make([]ratelimit.Limit, ratelimit.MaxLimits+1),
	}
	breakerFields = map[string][]any{
		"Window":              {breaker.Last(-time.Second), breaker.Last(1), breaker.LastCalls(0), breaker.LastCalls(10_001)},
		"SlowCall":            {-time.Second, time.Microsecond, 25 * time.Hour},
		"SlowRatio":           {-0.1, 0.5, 1.1, math.NaN()}, // 0.5 needs SlowCall
		"MinCalls":            {-1, 1_000_001},
		"FailureRatio":        {-0.1, 1.1, math.NaN(), math.Inf(1)},
		"ConsecutiveFailures": {-1, 1_000_001},
		"OpenFor":             {-time.Second},
		"MaxOpenFor":          {time.Nanosecond, -time.Second},
		"Probes":              {-1, 1001},
		"ProbeTimeout":        {-time.Second},
		"Ramp":                {-time.Second, 25 * time.Hour},
		"Mode":                {breaker.RetriesOnly + 1},
		"IsFailure":           {anyValue{}},
		"OnStateChange":       {anyValue{}},
	}
	retryFields = map[string][]any{
		"MaxAttempts": {-2},
		"Backoff": {
			retry.Exponential(-1, time.Second), retry.Exponential(time.Second, time.Millisecond), retry.Constant(0), retry.Linear(0, 1),
			retry.Decorrelated(2, 1), retry.Decorrelated(1, 2).WithJitter(retry.None), retry.Backoff{}.WithJitter(retry.None + 1),
		},
		"AttemptTimeout":  {-time.Second},
		"Budget":          {new(retry.Budget)},
		"MaxElapsed":      {-time.Second},
		"FirstTriesOnly":  {anyValue{}},
		"HedgeDelay":      {-time.Second},
		"HedgePercentile": {-0.5, 0.49, 1.0, math.NaN()},
		"MaxHedges":       {-1, 10},
		"Retryable":       {anyValue{}},
		"MaxHint":         {-2 * time.Second},
		"OnRetry":         {anyValue{}},
	}
)

var optionsCases = []optionsCase{
	{
		valid: cache.Options[string, int]{TTL: time.Minute, Load: func(context.Context, string) (int, error) { return 1, nil }},
		invalid: map[string][]any{
			"Load":                 {(func(context.Context, string) (int, error))(nil)},
			"TTL":                  {time.Duration(0), -2 * time.Second},
			"StaleWhileRevalidate": {-2 * time.Second},
			"StaleIfError":         {-2 * time.Second},
			"NotFoundTTL":          {-2 * time.Second},
			"ErrorBackoff":         {-2 * time.Second},
			"LoadTimeout":          {-2 * time.Second},
			"Jitter":               {-0.5, 1.5, math.NaN()},
			"RefreshConcurrency":   {-2},
			"MaxEntries":           {-2},
		},
		make: func(o any) error { _, err := cache.New(o.(cache.Options[string, int])); return err },
	},
	{
		valid:   ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerSecond(1)}},
		invalid: map[string][]any{"Limits": badLimits, "MaxWait": {-time.Second}, "MaxWaiters": {-1, 1_000_001}},
		make:    func(o any) error { _, err := ratelimit.New(o.(ratelimit.Options)); return err },
	},
	{
		valid:   ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerSecond(1)}},
		invalid: map[string][]any{"Limits": badLimits, "MaxKeys": {-1, int(1e9) + 1}, "LimitsFor": {anyValue{}}},
		make:    func(o any) error { _, err := ratelimit.NewKeyed(o.(ratelimit.KeyedOptions[string])); return err },
	},
	{
		valid: ratelimithttp.Options{Key: ratelimithttp.ClientIP()},
		invalid: map[string][]any{
			"Key": {(func(*http.Request) string)(nil)},
			"Policies": {
				[]ratelimit.Limit{{}}, []ratelimit.Limit{ratelimit.PerSecond(-2)}, []ratelimit.Limit{ratelimit.PerSecond(1).WithBurst(-2)},
				[]ratelimit.Limit{ratelimit.PerSecond(1).Named("a\nb")}, []ratelimit.Limit{ratelimit.Unlimited(), {Tokens: 1}},
			},
			"LegacyFields": {anyValue{}},
		},
		make: func(o any) error { // middleware cannot return an error: it panics with it
			return panicked(func() { ratelimithttp.Middleware(denyAll{}, o.(ratelimithttp.Options)) })
		},
	},
	{
		valid:   retry.Options{},
		invalid: retryFields,
		make:    func(o any) error { _, err := retry.New(o.(retry.Options)); return err },
	},
	{
		valid: retry.BudgetOptions{},
		invalid: map[string][]any{
			"Ratio":  {-0.1, 1.1, 0.00001, math.NaN()},
			"Burst":  {-2},
			"Window": {-time.Second},
		},
		make: func(o any) error { _, err := retry.NewBudget(o.(retry.BudgetOptions)); return err },
	},
	{
		valid: retryhttp.Options{},
		invalid: with(retryFields, map[string][]any{
			"Base": {anyValue{}}, "Statuses": {[]int{200}, []int{600}, []int{503, 0}}, "OmitHeaders": {anyValue{}},
		}),
		make: func(o any) error { _, err := retryhttp.New(o.(retryhttp.Options)); return err },
	},
	{
		valid:   breaker.Options{},
		invalid: breakerFields,
		make:    func(o any) error { _, err := breaker.New(o.(breaker.Options)); return err },
	},
	{
		valid:   breaker.KeyedOptions[string]{},
		invalid: with(breakerFields, map[string][]any{"MaxKeys": {-1, 1<<24 + 1}, "OnKeyStateChange": {anyValue{}}}),
		make:    func(o any) error { _, err := breaker.NewKeyed(o.(breaker.KeyedOptions[string])); return err },
	},
	{
		valid: breakerhttp.Options{},
		invalid: with(breakerFields, map[string][]any{
			"Base": {anyValue{}}, "MaxHosts": {-1, 1<<24 + 1}, "FailedResponse": {anyValue{}}, "OnHostStateChange": {anyValue{}},
		}),
		make: func(o any) error { _, err := breakerhttp.New(o.(breakerhttp.Options)); return err },
	},
	{
		valid: throttle.Options{},
		invalid: map[string][]any{
			"K":           {-1., 0.99, 1001., math.NaN(), math.Inf(1)},
			"Window":      {-time.Second, time.Millisecond, 25 * time.Hour},
			"MinCalls":    {-1, 1_000_001},
			"MaxReject":   {-0.1, 1., math.NaN()},
			"IsRejection": {anyValue{}},
		},
		make: func(o any) error { _, err := throttle.New(o.(throttle.Options)); return err },
	},
	{
		valid: pool.Options{},
		invalid: map[string][]any{
			"Workers":     {-1, pool.MaxWorkers + 1},
			"Queue":       {-2, pool.MaxQueue + 1},
			"WhenFull":    {pool.WhenFull(-1), pool.WhenFull(99)},
			"OnPanic":     {anyValue{}},
			"Fair":        {anyValue{}},
			"IdleTimeout": {-time.Second},
		},
		make: func(o any) error {
			p, err := pool.New(o.(pool.Options))
			if err == nil {
				err = p.Close(context.Background())
			}
			return err
		},
	},
	{
		valid: bulkhead.Options{Limit: bulkhead.Fixed(1)},
		invalid: map[string][]any{
			"Limit": {
				bulkhead.Limit(nil), bulkhead.Fixed(0), bulkhead.Fixed(-1), bulkhead.Fixed(bulkhead.MaxLimit + 1),
				bulkhead.AIMD{Min: -1}, bulkhead.AIMD{Min: 5, Max: 4}, bulkhead.AIMD{Initial: 2000}, bulkhead.AIMD{Timeout: -1},
				bulkhead.AIMD{Backoff: 0.4}, bulkhead.AIMD{Backoff: 1}, bulkhead.AIMD{Backoff: math.NaN()},
				bulkhead.AIMD{DropRatio: -0.1}, bulkhead.AIMD{DropRatio: 1}, bulkhead.AIMD{DropRatio: math.NaN()},
				bulkhead.Gradient{Max: bulkhead.MaxLimit + 1}, bulkhead.Gradient{Initial: -1}, bulkhead.Gradient{Tolerance: 0.9},
				bulkhead.Gradient{Tolerance: 11}, bulkhead.Gradient{Tolerance: math.NaN()}, bulkhead.Gradient{ProbeEvery: time.Millisecond},
			},
			"Classify":      {anyValue{}},
			"MaxQueue":      {-1, bulkhead.MaxQueue + 1},
			"MaxWait":       {time.Second, -2 * time.Second},
			"CoDelTarget":   {time.Second, -time.Second},
			"CoDelInterval": {time.Second, -2 * time.Second},
		},
		make: func(o any) error { _, err := bulkhead.New(o.(bulkhead.Options)); return err },
	},
	{
		valid:   bulkheadhttp.Options{},
		invalid: map[string][]any{"Priority": {anyValue{}}, "Outcome": {anyValue{}}},
		make: func(o any) error {
			b := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(1)}))
			return panicked(func() { bulkheadhttp.Middleware(b, o.(bulkheadhttp.Options)) })
		},
	},
	{
		valid:   flight.Options{},
		invalid: map[string][]any{"Detached": {anyValue{}}, "Timeout": {-2 * time.Second}},
		make:    func(o any) error { _, err := flight.New[string, int](o.(flight.Options)); return err },
	},
	{
		valid: batch.Options[int, int]{Run: func(context.Context, []int) (map[int]int, error) { return nil, nil }},
		invalid: map[string][]any{
			"Run":         {(func(context.Context, []int) (map[int]int, error))(nil)},
			"MaxSize":     {-1},
			"MaxBytes":    {-1},
			"SizeOf":      {anyValue{}},
			"Linger":      {anyValue{}},
			"MaxWait":     {-time.Second},
			"Concurrency": {-1},
			"MaxPending":  {-1},
			"Timeout":     {-2 * time.Second},
		},
		make: func(o any) error { _, err := batch.New(o.(batch.Options[int, int])); return err },
	},
	{
		valid: balance.Options[string]{},
		invalid: map[string][]any{
			"Endpoints":           {[]string{"a", "b", "a"}, make([]string, balance.MaxEndpoints+1)},
			"Decay":               {-time.Second, time.Microsecond, 25 * time.Hour},
			"ConsecutiveFailures": {-2, 256},
			"FailureRatio":        {-0.5, 1.1, math.NaN()},
			"MinCalls":            {-1, 101},
			"EjectFor":            {-time.Second, time.Microsecond, 25 * time.Hour},
			"MaxEjectFor":         {-time.Second, time.Second, 25 * time.Hour}, // a second is less than EjectFor
			"MaxEjected":          {-0.5, 1.1, math.NaN()},
			"PanicAt":             {-0.5, 1., math.NaN()},
			"SlowStart":           {-2 * time.Second, 25 * time.Hour},
			"IsFailure":           {anyValue{}},
		},
		make: func(o any) error { _, err := balance.New(o.(balance.Options[string])); return err },
	},
	{
		valid: balance.RendezvousOptions[*int]{ID: func(*int) string { return "" }},
		invalid: map[string][]any{
			"Endpoints": {[]*int{nil, nil}},
			"ID":        {(func(*int) string)(nil)},
			"MaxLoad":   {-0.5, 1., 1001., math.NaN()},
			"IsFailure": {anyValue{}},
		},
		make: func(o any) error { _, err := balance.NewRendezvous(o.(balance.RendezvousOptions[*int])); return err },
	},
}

type denyAll struct{}

func (denyAll) Take(context.Context, string, int64) (ratelimit.Result, error) {
	return ratelimit.Result{}, nil
}

func panicked(f func()) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("%v", value)
		}
	}()
	f()
	return nil
}

func with(a, b map[string][]any) map[string][]any {
	all := make(map[string][]any)
	for _, m := range []map[string][]any{a, b} {
		maps.Copy(all, m)
	}
	return all
}

func TestEveryFieldOfEveryOptionsIsChecked(t *testing.T) {
	for _, c := range optionsCases {
		typ := reflect.TypeOf(c.valid)
		t.Run(strings.TrimPrefix(typ.String(), "*"), func(t *testing.T) {
			if err := c.make(c.valid); err != nil {
				t.Fatalf("the valid one: %v", err)
			}
			invalid := with(common, c.invalid)
			everything := reflect.New(typ).Elem()
			everything.Set(reflect.ValueOf(c.valid))
			var faulty []string
			for _, field := range reflect.VisibleFields(typ) {
				if field.Anonymous {
					continue
				}
				values, listed := invalid[field.Name]
				if !listed {
					t.Errorf("%s is not in the table: list invalid values, or anyValue", field.Name)
				}
				for _, value := range values {
					if value == (anyValue{}) {
						continue
					}
					one := reflect.New(typ).Elem()
					one.Set(reflect.ValueOf(c.valid))
					set(one, field, value)
					set(everything, field, value)
					told(t, c.make(one.Interface()), field.Name, value)
				}
				if len(values) > 0 && values[0] != (anyValue{}) {
					faulty = append(faulty, field.Name)
				}
			}
			err := c.make(everything.Interface())
			for _, field := range faulty {
				told(t, err, field, nil)
			}
		})
	}
}

func set(options reflect.Value, field reflect.StructField, value any) {
	f := options.FieldByIndex(field.Index)
	if value == nil {
		f.SetZero()
		return
	}
	f.Set(reflect.ValueOf(value))
}

// told checks that an error of New names the field, its value where that is a number or a text, and a rule.
func told(t *testing.T, err error, field string, value any) {
	t.Helper()
	if err == nil {
		t.Errorf("%s = %v is accepted", field, value)
		return
	}
	for line := range strings.Lines(err.Error()) {
		_, fault, ok := strings.Cut(line, "Options."+field)
		if !ok || !strings.HasPrefix(line, "joist/") {
			continue
		}
		if !strings.Contains(fault, ", but ") {
			t.Errorf("%s: no rule in %q", field, line)
		}
		switch value := value.(type) {
		case int, float64, time.Duration:
			if !strings.Contains(fault, fmt.Sprint(value)) && !reflect.ValueOf(value).IsZero() {
				t.Errorf("%s: the value %v is not in %q", field, value, line)
			}
		case string:
			if !strings.Contains(fault, strconv.Quote(value)) {
				t.Errorf("%s: the value %q is not in %q", field, value, line)
			}
		}
		return
	}
	t.Errorf("%s = %v: not named in %q", field, value, err)
}
