// Package batch merges single calls that come at about the same time into one call for many: the query with IN instead
// of a thousand queries, the bulk insert, the multi-get.
//
//	users, err := batch.New(batch.Options[int, User]{Run: func(ctx context.Context, ids []int) (map[int]User, error) {
//		return db.UsersByID(ctx, ids)
//	}})
//	u, err := users.Get(ctx, 42)
//
// # When to use it
//
// Use a [Batcher] when the far side can answer many keys for little more than the price of one, and the callers do not
// know of each other. Use [Batcher.GetMany] when one caller has several keys. When callers ask for the same key, not
// for different ones, flight.Group is enough; when answers may be kept, put the cache in front: its loads then come in
// batches.
//
// # When a batch goes
//
// Calls collect in one open batch. It is closed, and goes as soon as one of the Concurrency places is free,
//
//   - when it has MaxSize keys, or another key would take it above MaxBytes;
//   - when it is idle: everything that could run has run, and no call has come. This is the default, and costs a lone
//     call a microsecond or so. Calls that come together, such as the resolvers of one request, are together in one batch;
//   - with Linger, not then, but MaxWait after its first call: for callers that come one by one.
//
// While all places are taken the open batch goes on collecting, so that batches grow by themselves as the load does.
//
// # Who gets what
//
// Each caller waits as its own context allows. Who leaves gets ctx.Err(), and a key that nobody waits for any more when
// the batch goes is left out of it. The batch's context is none of theirs: it has no values, and ends with Timeout, or
// when Close gives up.
//
// A key that Run does not return is a [*MissingError] for those who asked for it, as is one that is not equal to itself,
// such as a NaN; and one that nobody asked for is counted and dropped. [Errors] gives single keys errors of their own. Any
// other error of Run is everybody's, and so is a panic, as a [*PanicError], and a runtime.Goexit, as [ErrGoexit].
//
// # Cost and telemetry
//
// A call takes one lock once, and again to leave early. A goroutine is started per batch, none per call, and none is left when nothing is under way.
// The counter joist.batch.calls {call} has calls by joist.batch.outcome, the histogram joist.batch.size {call} the number
// of calls that went in one batch.
package batch
