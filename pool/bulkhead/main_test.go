package bulkhead_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/pool/bulkhead"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fixed(t testing.TB, n int) *bulkhead.Bulkhead {
	t.Helper()
	b, err := bulkhead.New(bulkhead.Options{Name: "users", Limit: bulkhead.Fixed(n)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// held is a call that stays in flight until its end.
type held struct {
	release chan struct{}
	result  chan error
}

// hold returns once the call is in flight.
func hold(b *bulkhead.Bulkhead) held {
	h := held{make(chan struct{}), make(chan error, 1)}
	inside := make(chan struct{})
	go func() {
		h.result <- b.Do(context.Background(), func(context.Context) error {
			close(inside)
			<-h.release
			return nil
		})
	}()
	<-inside
	return h
}

func (h held) end() error {
	close(h.release)
	return <-h.result
}

func nothing(context.Context) error { return nil }
