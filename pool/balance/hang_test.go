package balance_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/balance"
)

// A server that takes connections and never answers: no call to it ends before its deadline, so nothing is learnt from
// how calls end. Its calls in flight tell.
func TestAnEndpointThatHangsIsAvoidedBeforeItsFirstCallHasEnded(t *testing.T) {
	const hung = "e"
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		b := newBalancer(t, balance.Options[string]{Endpoints: names(10)})
		const last = 9 * time.Second // before the first deadline
		o := f.load(500, last, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			return b.Do(ctx, func(ctx context.Context, e string) error {
				if e == hung {
					f.mu.Lock()
					f.calls[e] = append(f.calls[e], time.Since(f.began))
					f.mu.Unlock()
					<-ctx.Done()
					return ctx.Err()
				}
				return f.call(ctx, e)
			})
		})
		all := len(o.took) + o.failed
		t.Logf("%d of %d calls went to an endpoint that hangs; a tenth of them would be %d", f.count(hung, 0, last), all, all/10)
		if n := f.count(hung, 0, last); n > all/100 {
			t.Errorf("%d of %d calls went to an endpoint that hangs", n, all)
		}
	})
}

// What was left alone while others worked comes back as one that is as quick as is typical. Also without a slow start it
// gets its share and no more.
func TestAnEndpointThatComesBackGetsItsShareAndNoMore(t *testing.T) {
	const (
		back = "a"
		rate = 500
	)
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		b := newBalancer(t, balance.Options[string]{Endpoints: names(10), SlowStart: balance.Off, EjectFor: 2 * time.Minute})
		inside, most := 0, 0 // calls to the endpoint that came back
		o := f.load(rate, 3*time.Minute, func(ctx context.Context) error {
			return b.Do(ctx, func(ctx context.Context, e string) error {
				at := time.Since(f.began)
				if e == back && at >= 5*time.Second && at < 6*time.Second {
					return errDown
				}
				if e == back && at > 6*time.Second {
					f.mu.Lock()
					inside++
					most = max(most, inside)
					f.mu.Unlock()
					defer func() {
						f.mu.Lock()
						inside--
						f.mu.Unlock()
					}()
				}
				return f.call(ctx, e)
			})
		})
		if s := b.Stats(); s.Ejections != 1 || s.Ready != 10 || o.failed < 5 || o.failed > 10 { // those that were on their way fail too
			t.Fatalf("%+v, %d calls failed", s, o.failed)
		}
		got, fair := f.count(back, 126*time.Second, time.Hour), rate*54/10
		t.Logf("%d calls since it is back, at most %d at once; a tenth of all would be %d", got, most, fair)
		if got < fair/2 || got > fair*3/2 || most > 6 {
			t.Errorf("%d calls since it is back, at most %d at once; a tenth of all would be %d", got, most, fair)
		}
	})
}
