package balance_test

import (
	"context"
	"fmt"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/pool/balance"
)

// Each user's data is cached at one of the servers. When a server leaves, the users of the others stay where they are.
func ExampleRendezvous() {
	shards := joist.Must(balance.NewRendezvous(balance.RendezvousOptions[string]{Name: "users-cache", Endpoints: addresses}))
	users := []string{"ada", "grace", "barbara", "frances", "radia"}
	before := map[string]string{}
	for _, user := range users {
		_ = shards.Do(context.Background(), user, func(_ context.Context, address string) error {
			before[user] = address
			return nil
		})
	}
	if err := shards.SetEndpoints(addresses[1:]); err != nil {
		fmt.Println(err)
	}
	for _, user := range users {
		after, _ := shards.Owner(user)
		if after != before[user] && before[user] != addresses[0] {
			fmt.Println(user, "moved, and need not have")
		}
	}
	fmt.Println(shards.Stats().Ready, "servers")
	// Output: 2 servers
}

// Endpoints that are no texts need names, and the names decide who has which key.
func ExampleRendezvousOptions() {
	type replica struct{ shard, address string }
	shards := joist.Must(balance.NewRendezvous(balance.RendezvousOptions[replica]{
		Endpoints: []replica{{"shard-0", "10.0.0.1"}, {"shard-1", "10.0.0.2"}},
		ID:        func(r replica) string { return r.shard },
	}))
	before, _ := shards.Owner("ada")
	_ = shards.SetEndpoints([]replica{{"shard-0", "10.0.0.8"}, {"shard-1", "10.0.0.9"}})
	after, _ := shards.Owner("ada")
	fmt.Println(before.shard == after.shard, before.address == after.address)
	// Output: true false
}

// A cache can be filled anywhere: when the owner does not answer, the next in the key's order does.
func ExampleRendezvous_Pick() {
	shards := joist.Must(balance.NewRendezvous(balance.RendezvousOptions[string]{Endpoints: addresses}))
	owner, err := shards.Pick(context.Background(), "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	owner.Done(context.DeadlineExceeded)

	next, err := shards.Pick(context.Background(), "ada", owner.Endpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	next.Done(nil)
	fmt.Println(owner.Endpoint != next.Endpoint)
	// Output: true
}
