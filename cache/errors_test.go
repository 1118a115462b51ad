package cache_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

func TestErrorsSayWhichCacheAndWhatToDo(t *testing.T) {
	backoff := &cache.BackoffError{Name: "users", Err: errDown, After: time.Second}
	if got, want := backoff.Error(),
		`joist/cache: "users" is backing off after a failed load, retry after 1s: source is down`; got != want {
		t.Errorf("a back-off says %s, want %s", got, want)
	}
	closed := &cache.ClosedError{Name: "users"}
	if got, want := closed.Error(), `joist/cache: "users" is closed`; got != want {
		t.Errorf("a closed cache says %s, want %s", got, want)
	}
	if got := closed.RetryAfter(); got != 0 {
		t.Errorf("a closed cache hints %v", got)
	}
}

func TestSourcesHaveNames(t *testing.T) {
	for source, want := range map[cache.Source]string{0: "none", cache.SourceLocal: "local", cache.SourceLoad: "load"} {
		if got := source.String(); got != want {
			t.Errorf("source %d is called %q, want %q", source, got, want)
		}
	}
}

func TestARefreshJoinsTheLoadInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Second}
		s.fails.Store(true)
		c := newCache(t, s.options())
		var wg sync.WaitGroup
		wg.Go(func() { wantErr(t, c, "a", errDown) })
		synctest.Wait()
		if err := c.Refresh(t.Context(), "a"); !errors.Is(err, errDown) {
			t.Fatalf("Refresh = %v", err)
		}
		wg.Wait()
		s.wantLoads(t, 1)
	})
}
