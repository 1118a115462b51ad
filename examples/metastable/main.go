// Metastable shows why retries need a budget. Two hundred clients call ten servers, which become slow for ten seconds and
// are well again. With naive retries the clients never are: their own retries keep the servers overloaded. The program
// compares four ways to retry, prints a table and draws two plots.
//
// What runs is the library's own code, in virtual time: minutes pass in seconds, whatever the machine.
//
// Read it in this order: main.go (what is compared), client.go (how a client uses the blocks), server.go (what it calls),
// simulation.go (the two together in virtual time), report.go and plot.go (what came of it).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/retry"
)

func noBudget() *retry.Budget { return retry.NoBudget }

func tenPercent() *retry.Budget {
	return joist.Must(retry.NewBudget(retry.BudgetOptions{Name: "metastable", Ratio: 0.1, Burst: 5}))
}

// policies are compared when all servers are slow for a while.
var policies = []policy{
	{name: "no budget", budget: noBudget},
	{name: "budget 10 %", budget: tenPercent},
	{name: "budget, expired work dropped", budget: tenPercent, dropExpired: true},
	{name: "breaker per endpoint", budget: noBudget, breakers: &breaker.Options{MinCalls: 5}, breakerOf: perEndpoint},
}

// outagePolicies are compared when one server of ten is dead. A breaker that guards all ten sees that one call in ten
// fails. It may be set so that this opens it, or so that it does not.
var outagePolicies = []policy{
	{name: "no breaker", budget: tenPercent},
	{name: "one breaker, opens at 50 %", budget: tenPercent, breakers: &breaker.Options{}, breakerOf: global},
	{name: "one breaker, opens at 10 %", budget: tenPercent, breakers: &breaker.Options{FailureRatio: 0.1}, breakerOf: global},
	{name: "breaker per endpoint", budget: tenPercent, breakers: &breaker.Options{MinCalls: 5}, breakerOf: perEndpoint},
}

const outageLoad = 0.5

func perEndpoint(server int) int { return server }
func global(int) int             { return 0 }

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("metastable", flag.ContinueOnError)
	f.SetOutput(stderr)
	load := f.Float64("load", 0, "calls per second as a `share` of the capacity; 0 is 0.5, 0.7 and 0.85, one after the other")
	length := f.Duration("length", 4*time.Minute, "how long each simulation lasts, in virtual time")
	seeds := f.Uint64("seeds", 3, "simulations of each policy and load")
	plots := f.String("plots", ".", "`folder` that the plots are drawn into")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *load < 0 || *load > 1 || *length < time.Minute || *seeds < 1 || f.NArg() > 0 {
		return errors.New("metastable: -load must be from 0 to 1, -length a minute or more, -seeds 1 or more, and nothing may follow")
	}
	loads := []float64{0.5, 0.7, 0.85}
	if *load > 0 {
		loads = []float64{*load}
	}

	var all []scenario
	for _, load := range loads {
		for _, p := range policies {
			all = append(all, scenario{policy: p, load: load, length: *length})
		}
	}
	for _, p := range outagePolicies {
		all = append(all, scenario{policy: p, load: outageLoad, length: time.Minute, dead: 1})
	}
	results := simulateAll(all, *seeds)
	n := len(loads) * len(policies)
	var slow [][]result
	writeSlowHeader(stdout)
	for i, s := range all[:n] {
		slow = append(slow, <-results[i])
		writeSlow(stdout, s, slow[i])
	}
	writeOutageHeader(stdout)
	for i, s := range all[n:] {
		writeOutage(stdout, s, <-results[n+i])
	}
	return drawPlots(*plots, loads, slow)
}

// simulateAll runs each scenario with each seed, as many at once as there are processors. The results of a scenario come
// together.
func simulateAll(all []scenario, seeds uint64) []chan []result {
	running := make(chan struct{}, runtime.GOMAXPROCS(0))
	results := make([]chan []result, len(all))
	for i := range results {
		results[i] = make(chan []result, 1)
	}
	go func() {
		for i, s := range all {
			done := make(chan result, seeds)
			for seed := range seeds {
				running <- struct{}{}
				s := s // of this seed: the loop goes on while it is simulated
				s.seed = seed + 1
				go func() {
					// A bubble needs a test to belong to, and nothing of it that a new one does not have.
					done <- simulate(new(testing.T), s)
					<-running
				}()
			}
			go func() {
				var of []result
				for range seeds {
					of = append(of, <-done)
				}
				results[i] <- of
			}()
		}
	}()
	return results
}
