package balance_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/pool/balance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("down")

func newBalancer(t testing.TB, o balance.Options[string]) *balance.Balancer[string] {
	t.Helper()
	b, err := balance.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newRendezvous(t testing.TB, o balance.RendezvousOptions[string]) *balance.Rendezvous[string] {
	t.Helper()
	r, err := balance.NewRendezvous(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names returns a, b, c … or, for many, numbered names.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		if n <= 26 {
			all[i] = string(rune('a' + i))
		} else {
			all[i] = "endpoint-" + strconv.Itoa(i)
		}
	}
	return all
}

func work(context.Context, string) error { return nil }
func down(context.Context, string) error { return errDown }

// stateOf returns what the balancer makes of one endpoint.
func stateOf(t testing.TB, b *balance.Balancer[string], endpoint string) balance.Endpoint[string] {
	t.Helper()
	for _, e := range b.Endpoints() {
		if e.Endpoint == endpoint {
			return e
		}
	}
	t.Fatalf("no endpoint %q", endpoint)
	return balance.Endpoint[string]{}
}
