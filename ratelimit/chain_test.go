package ratelimit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/joist-go/joist/ratelimit"
)

// broken is a taker whose store is down.
type broken struct{ ratelimit.Taker }

var errStore = errors.New("store down")

func (broken) Take(context.Context, string, int64) (ratelimit.Result, error) {
	return ratelimit.Result{}, errStore
}

func TestAChainTakesInOrderAndGivesBackWhatTheEarlierOnesGave(t *testing.T) {
	service := newLimiter(t, ratelimit.PerHour(10).Named("service"))
	tenant, user := newKeyed(t, ratelimit.PerHour(5).Named("tenant"), 0), newKeyed(t, ratelimit.PerHour(2).Named("user"), 0)
	c := ratelimit.Chain(
		service.Taker(),
		ratelimit.Rekeyed(ratelimit.TakerOf(tenant), func(key string) string { t, _, _ := strings.Cut(key, "/"); return t }),
		ratelimit.TakerOf(user),
	)
	for _, step := range []struct {
		key     string
		n       int64
		allowed bool
		binding string
	}{
		{"a/ann", 2, true, "user"},
		{"a/ann", 1, false, "user"},
		{"a/bob", 2, true, "user"},
		{"a/cid", 2, false, "tenant"},
		{"a/cid", 1, true, "tenant"},
		{"b/eve", 2, true, "user"},
		{"b/eve", 0, true, "user"},
		{"b/fay", 2, true, "user"},
		{"c/gus", 1, true, "service"},
		{"c/gus", 1, false, "service"},
	} {
		r, err := c.Take(t.Context(), step.key, step.n)
		if err != nil || r.Allowed != step.allowed || r.Limit.Name != step.binding {
			t.Errorf("Take(%s, %d): %+v, %v", step.key, step.n, r, err)
		}
	}
	if r, _ := service.Take(0); r.Remaining != 0 {
		t.Errorf("the service has %d of 10 left", r.Remaining)
	}
	if r, _ := tenant.Take("a", 0); r.Remaining != 0 {
		t.Errorf("tenant a has %d of 5 left", r.Remaining)
	}
	if err := c.Refund(t.Context(), "a/ann", 2); err != nil {
		t.Error(err)
	}
	if r, err := c.Take(t.Context(), "a/ann", 2); err != nil || !r.Allowed {
		t.Errorf("after a refund: %+v, %v", r, err)
	}
}

func TestAChainGivesBackWhenALaterOneFailsOrTheCallerHasLeft(t *testing.T) {
	first := newLimiter(t, ratelimit.PerHour(1))
	c := ratelimit.Chain(first.Taker(), broken{})
	if _, err := c.Take(t.Context(), "a", 1); !errors.Is(err, errStore) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	leaving := ratelimit.Chain(first.Taker(), ratelimit.Rekeyed(newLimiter(t, ratelimit.PerHour(1)).Taker(), func(k string) string {
		cancel()
		return k
	}))
	if _, err := leaving.Take(ctx, "a", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if !first.Allow() {
		t.Error("the token was not given back")
	}
}

// noted is a taker that notes what it is asked for.
type noted struct {
	name  string
	notes *[]string
	take  func() (ratelimit.Result, error)
}

func (n noted) Take(context.Context, string, int64) (ratelimit.Result, error) {
	*n.notes = append(*n.notes, "take "+n.name)
	return n.take()
}

func (n noted) Refund(ctx context.Context, _ string, _ int64) error {
	*n.notes = append(*n.notes, "refund "+n.name)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New(n.name + " keeps it")
}

func TestAChainGivesBackFromTheLastToTheFirstHoweverATakeEnds(t *testing.T) {
	allowed := func() (ratelimit.Result, error) { return ratelimit.Result{Allowed: true}, nil }
	for name, last := range map[string]func() (ratelimit.Result, error){
		"denied": func() (ratelimit.Result, error) { return ratelimit.Result{}, nil },
		"failed": func() (ratelimit.Result, error) { return ratelimit.Result{}, errStore },
		"panic":  func() (ratelimit.Result, error) { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			var notes []string
			c := ratelimit.Chain(noted{"a", &notes, allowed}, noted{"b", &notes, allowed}, noted{"c", &notes, last}, noted{"d", &notes, allowed})
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // the caller has left meanwhile
			func() {
				defer func() {
					if r := recover(); (r == "boom") != (name == "panic") {
						t.Errorf("recovered %v", r)
					}
				}()
				r, err := c.Take(ctx, "key", 1)
				if r.Allowed || err == nil || !strings.Contains(err.Error(), "b keeps it\na keeps it") || errors.Is(err, errStore) != (name == "failed") {
					t.Errorf("%+v, %v", r, err)
				}
			}()
			if want := []string{"take a", "take b", "take c", "refund b", "refund a"}; !slices.Equal(notes, want) {
				t.Errorf("%v, want %v", notes, want)
			}
		})
	}
}

func TestAChainOfWhatCannotBeChainedPanics(t *testing.T) {
	fine := newLimiter(t, ratelimit.PerHour(1)).Taker()
	for name, make := range map[string]func(){
		"none":              func() { ratelimit.Chain() },
		"nil":               func() { ratelimit.Chain(fine, nil) },
		"no Refunder first": func() { ratelimit.Chain(broken{}, fine) },
		"Rekeyed nil":       func() { ratelimit.Rekeyed(nil, strings.ToLower) },
		"Rekeyed to nil":    func() { ratelimit.Rekeyed(fine, nil) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "joist/ratelimit: ") {
					t.Errorf("%s: recovered %q", name, text)
				}
			}()
			make()
		}()
	}
	ratelimit.Chain(fine, broken{}) // the last need not give anything back
}
