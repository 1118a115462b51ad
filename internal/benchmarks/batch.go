package main

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/graph-gophers/dataloader/v7"

	"github.com/joist-go/joist/pool/batch"
)

var batchCases = []benchCase{
	{name: "many", about: "asks for 100 keys, which fill a batch", setup: batchMany},
	{name: "lone", about: "asks for one key, which is a batch of its own", setup: batchLone},
}

const (
	batchSize        = 100
	dataloaderModule = "github.com/graph-gophers/dataloader/v7"
)

func batchKeys() []int {
	keys := make([]int, batchSize)
	for i := range keys {
		keys[i] = i
	}
	return keys
}

// answers are those of every batch: what making them costs is nobody's.
var answers = func() map[int]int {
	all := make(map[int]int, batchSize)
	for key := range batchSize {
		all[key] = key
	}
	return all
}()

func answerAll(_ context.Context, keys []int) (map[int]int, error) {
	if len(keys) == batchSize {
		return answers, nil
	}
	found := make(map[int]int, len(keys))
	for _, key := range keys {
		found[key] = key
	}
	return found, nil
}

func newBatcher(env *environment, size int) (*batch.Batcher[int, int], error) {
	return batch.New(batch.Options[int, int]{
		Name: "benchmark", Run: answerAll, MaxSize: size, MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
}

// newLoader returns a loader that batches and keeps nothing.
func newLoader(size int) *dataloader.Loader[int, int] {
	return dataloader.NewBatchedLoader(func(_ context.Context, keys []int) []*dataloader.Result[int] {
		results := make([]*dataloader.Result[int], len(keys))
		for i, key := range keys {
			results[i] = &dataloader.Result[int]{Data: key}
		}
		return results
	}, dataloader.WithCache[int, int](&dataloader.NoCache[int, int]{}), dataloader.WithBatchCapacity[int, int](size))
}

func batchMany(env *environment) (lineup, error) {
	ours, err := newBatcher(env, batchSize)
	if err != nil {
		return lineup{}, err
	}
	peer := newLoader(batchSize)
	return lineup{
		ours: contender{name: "joist", settings: fmt.Sprintf("GetMany of %d keys; MaxSize %[1]d", batchSize), loop: func(int) func(int) {
			keys := batchKeys()
			return func(n int) {
				for range n {
					_, _ = ours.GetMany(ctx, keys)
				}
			}
		}},
		peers: []contender{
			{name: "dataloader", module: dataloaderModule, settings: fmt.Sprintf("LoadMany of %d keys; capacity %[1]d, no cache", batchSize), loop: func(int) func(int) {
				keys := batchKeys()
				return func(n int) {
					for range n {
						_, _ = peer.LoadMany(ctx, keys)()
					}
				}
			}},
			{name: "map", settings: "the keys put into a map under a mutex and copied out, without waiting for anybody", loop: func(int) func(int) {
				var mu sync.Mutex
				keys := batchKeys()
				return func(n int) {
					for range n {
						wanted := make(map[int]int)
						for _, key := range keys {
							mu.Lock()
							wanted[key] = key
							mu.Unlock()
						}
						maps.Copy(wanted, answers)
					}
				}
			}},
		},
	}, nil
}

// The peer waits for a time that is set, so only a capacity of 1 has it answer a lone call at once.
func batchLone(env *environment) (lineup, error) {
	ours, err := newBatcher(env, batchSize)
	if err != nil {
		return lineup{}, err
	}
	peer := newLoader(1)
	return lineup{
		ours: contender{name: "joist", settings: "Get; the batch goes when nobody else comes", loop: func(worker int) func(int) {
			return func(n int) {
				for range n {
					_, _ = ours.Get(ctx, worker)
				}
			}
		}},
		peers: []contender{{name: "dataloader", module: dataloaderModule, settings: "Load; capacity 1, no cache", loop: func(worker int) func(int) {
			return func(n int) {
				for range n {
					_, _ = peer.Load(ctx, worker)()
				}
			}
		}}},
	}, nil
}
