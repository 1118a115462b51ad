package pool_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/joist-go/joist/pool"
)

func TestNewNamesFieldValueAndRuleOfWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		options pool.Options
		want    string
	}{
		"name":             {pool.Options{Name: "a\x00"}, `Options.Name is "a\x00", but must be at most 128 bytes`},
		"negative workers": {pool.Options{Workers: -1}, "Options.Workers is -1, but must be from 1 to 1048576, or 0 for the number of processors"},
		"too many workers": {pool.Options{Workers: pool.MaxWorkers + 1}, "Options.Workers is 1048577, but must be from 1"},
		"negative queue":   {pool.Options{Queue: -2}, "Options.Queue is -2, but must be from 1 to 16777216, 0 for 1024, or NoQueue"},
		"too long a queue": {pool.Options{Queue: pool.MaxQueue + 1}, "Options.Queue is 16777217, but must be from 1"},
		"idle timeout":     {pool.Options{IdleTimeout: -2}, "Options.IdleTimeout is -2ns, but must be positive, 0 for 1m0s, or KeepIdle"},
		"when full":        {pool.Options{WhenFull: 7}, "Options.WhenFull is WhenFull(7), but must be Block, Reject or CallerRuns"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := pool.New(c.options)
			if p != nil || err == nil || !strings.Contains(err.Error(), "joist/pool: "+c.want) {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
}

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	_, err := pool.New(pool.Options{Name: strings.Repeat("x", 129), Workers: -1, Queue: -2, WhenFull: -1})
	for _, field := range []string{"Name", "Workers", "Queue", "WhenFull"} {
		if err == nil || !strings.Contains(err.Error(), "Options."+field) {
			t.Errorf("no %s in %v", field, err)
		}
	}
}

func TestTheZeroOptionsAreAWorkerForEachProcessorAndTheDefaultQueue(t *testing.T) {
	p := open(t, pool.Options{})
	procs := runtime.GOMAXPROCS(0)
	release := occupy(t, p, procs)
	defer release()
	for range pool.DefaultQueue {
		if err := p.Go(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Stats(); got.Workers != procs || got.Queued != pool.DefaultQueue {
		t.Errorf("got %+v", got)
	}
}

func TestTheTextsOfErrorsTellPoolAndCause(t *testing.T) {
	for want, err := range map[string]error{
		`joist/pool: "thumbs" is full: 2 workers, queue of 3`:                                                 &pool.FullError{Name: "thumbs", Workers: 2, Queue: 3},
		`joist/pool: "thumbs" is full: 2 workers, queue of 3: boom`:                                           &pool.FullError{Name: "thumbs", Workers: 2, Queue: 3, Cause: errText("boom")},
		`joist/pool: "thumbs" is closed`:                                                                      &pool.ClosedError{Name: "thumbs"},
		"joist/pool: the task panicked: boom\n\nthe stack":                                                    &pool.PanicError{Value: "boom", Stack: []byte("the stack")},
		`joist/pool: "thumbs" is closed, but Close's context ended first: 2 tasks not run, 1 cancelled: boom`: &pool.CloseError{Name: "thumbs", Dropped: 2, Running: 1, Cause: errText("boom")},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for w, want := range map[pool.WhenFull]string{pool.Block: "block", pool.Reject: "reject", pool.CallerRuns: "caller runs", 7: "WhenFull(7)"} {
		if got := w.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

type errText string

func (e errText) Error() string { return string(e) }
