package batch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool/batch"
)

func TestABatchThatFailsWhenNobodyWaitsAnyMoreIsLogged(t *testing.T) {
	errSecret := errors.New("secret")
	for name, c := range map[string]struct {
		err    error
		stays  bool
		logged bool
	}{
		"a failure":                   {errSecret, false, true},
		"a failure of one key":        {batch.Errors[string]{"secret": errSecret}, false, true},
		"a failure that somebody got": {errSecret, true, false},
		"no failure":                  {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				b, err := batch.New(batch.Options[string, int]{
					Name: "users", Linger: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
					Run: func(context.Context, []string) (map[string]int, error) {
						time.Sleep(time.Second)
						return map[string]int{"other": 1}, c.err
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				if c.stays {
					go func() { _, _ = b.Get(context.Background(), "other") }()
					synctest.Wait()
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				defer cancel()
				if _, err := b.Get(ctx, "secret"); err != context.DeadlineExceeded {
					t.Fatal(err)
				}
				if err := b.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				line := log.String()
				if logged := strings.Contains(line, "joist/batch: batch failed when nobody waited any more"); logged != c.logged {
					t.Errorf("logged %q", line)
				}
				if strings.Contains(line, "secret") || c.logged && (!strings.Contains(line, "joist.name=users") || strings.Count(line, "\n") != 1) {
					t.Errorf("logged %q", line)
				}
			})
		})
	}
}

func TestHintsOfErrorsAreOfTheirOwn(t *testing.T) {
	if after, ok := refusal.RetryAfter(&batch.FullError{Wait: time.Second}); !ok || after != time.Second {
		t.Errorf("a full batcher hints at %v", after)
	}
	if after, ok := refusal.RetryAfter(&batch.ClosedError{}); ok {
		t.Errorf("a closed batcher hints at %v", after)
	}
	broke := &batch.PanicError{Value: &batch.FullError{Wait: time.Second}}
	if after, ok := refusal.RetryAfter(broke); ok || refusal.Refused(broke) || !errors.Is(broke, batch.ErrFull) {
		t.Errorf("a panic with a refusal hints at %v", after)
	}
}
