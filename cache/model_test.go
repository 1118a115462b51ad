package cache_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

// The lives of the model and of its cache.
const (
	modelTTL      = 30 * time.Second
	modelSWR      = 20 * time.Second
	modelSIE      = 60 * time.Second
	modelNotFound = 10 * time.Second
)

// known is what the model knows of a key: a value or that there is none, since when.
type known struct {
	value  string
	absent bool
	since  time.Time
}

// model is what a cache without back-off and jitter should do when one goroutine uses it and refreshes end at once.
type model struct {
	keys  map[string]known
	clock func() time.Time
}

// load is what a load of key does to the model, given what the source says.
func (m *model) load(key, value, source string) (string, error) {
	switch source {
	case "fails":
		return "", errDown
	case "gone":
		m.keys[key] = known{absent: true, since: m.clock()}
		return "", cache.ErrNotFound
	default:
		m.keys[key] = known{value: value, since: m.clock()}
		return value, nil
	}
}

func (m *model) get(key, value, source string) (string, error) {
	k, ok := m.keys[key]
	age := m.clock().Sub(k.since)
	switch {
	case !ok:
	case k.absent && age < modelNotFound:
		return "", cache.ErrNotFound
	case k.absent:
	case age < modelTTL:
		return k.value, nil
	case age < modelTTL+modelSWR:
		_, _ = m.load(key, value, source) // behind
		return k.value, nil
	}
	got, err := m.load(key, value, source)
	if errors.Is(err, errDown) && ok && !k.absent && age < modelTTL+modelSIE {
		return k.value, nil
	}
	return got, err
}

func runModel(t *testing.T, steps []modelStep) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.TTL, o.StaleWhileRevalidate, o.StaleIfError, o.NotFoundTTL = modelTTL, modelSWR, modelSIE, modelNotFound
		c := newCache(t, o)
		m := model{keys: make(map[string]known), clock: time.Now}
		for i, step := range steps {
			time.Sleep(step.sleep)
			s.value.Store(int64(i))
			s.fails.Store(step.source == "fails")
			s.gone.Store(step.source == "gone")
			value := step.key + strconv.Itoa(i)
			var got, want string
			var err, wantErr error
			switch step.op {
			case "get":
				got, err = c.Get(t.Context(), step.key)
				want, wantErr = m.get(step.key, value, step.source)
			case "set":
				err = c.Set(t.Context(), step.key, value)
				m.keys[step.key] = known{value: value, since: m.clock()}
			case "delete":
				err = c.Delete(t.Context(), step.key)
				delete(m.keys, step.key)
			case "refresh":
				err = c.Refresh(t.Context(), step.key)
				_, wantErr = m.load(step.key, value, step.source)
			}
			synctest.Wait()
			if got != want || !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
				t.Fatalf("step %d of %v:\ngot %q, %v\nwant %q, %v", i, steps[:i+1], got, err, want, wantErr)
			}
		}
	})
}
