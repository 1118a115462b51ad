package contract

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func (b Block) testEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := b.made(t)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		expired, cancelExpired := context.WithTimeout(t.Context(), time.Second)
		defer cancelExpired()
		time.Sleep(time.Second)
		for _, ctx := range []context.Context{cancelled, expired} {
			ran := false
			err := g.Do(ctx, func(context.Context) error { ran = true; return nil })
			if !errors.Is(err, ctx.Err()) {
				t.Errorf("got %v, want %v", err, ctx.Err())
			}
			synctest.Wait()
			if ran {
				t.Errorf("a call was made for a caller that is gone (%v)", ctx.Err())
			}
		}
	})
}

// The call ends when it is cancelled or, in shared work that others could wait for, once its caller has left.
func (b Block) testLeaves(t *testing.T) {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		t.Run(end.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := b.made(t)
				ctx, cancel := context.WithCancel(t.Context())
				if errors.Is(end, context.DeadlineExceeded) {
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				} else {
					time.AfterFunc(time.Second, cancel)
				}
				defer cancel()
				left := make(chan struct{})
				began := time.Now()
				err := g.Do(ctx, func(ctx context.Context) error {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-left:
						return nil
					}
				})
				close(left)
				if !errors.Is(err, end) {
					t.Errorf("got %v, want %v", err, end)
				}
				if took := time.Since(began); took != time.Second {
					t.Errorf("answered after %v, want 1s", took)
				}
				synctest.Wait()
				if err := g.Do(t.Context(), succeed); err != nil {
					t.Errorf("the next call: %v", err)
				}
			})
		})
	}
}

func (b Block) testVirtualDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := b.made(t)
		for range 3 {
			if err := g.Do(t.Context(), succeed); err != nil {
				t.Error(err)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}
