package pool

import (
	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of this package's telemetry.
const ScopeName = "github.com/joist-go/joist/pool"

// Version is the version of the instrumentation scope.
const Version = telemetry.Version

// The words of a pool's cell: what became of tasks, in the order of the counter's series.
const (
	wordOK = iota
	wordError
	wordPanic
	wordGoexit
	wordCancelled
	wordRejected
	wordDropped
	words
)

var tasksCounter = telemetry.Counter{
	Name: "joist.pool.tasks", Unit: "{task}",
	Description: "Tasks given to a pool, by what became of them.",
	Series: telemetry.Series("joist.pool.outcome",
		"ok", "error", "panic", "goexit", "cancelled", "rejected", "dropped"),
}

var queueLength = telemetry.Gauge{
	Name: "joist.pool.queue.length", Unit: "{task}",
	Description: "Tasks that wait for a worker.", UpDown: true,
}

var workers = telemetry.Gauge{
	Name: "joist.pool.workers", Unit: "{worker}",
	Description: "Workers, by whether they run a task.", UpDown: true,
	Series: telemetry.Series("joist.pool.state", "busy", "idle"),
}

var waitDuration = telemetry.Durations{
	Name:        "joist.pool.wait.duration",
	Description: "Time from the call until a worker takes the task, sampled.",
}

var runDuration = telemetry.Durations{
	Name:        "joist.pool.run.duration",
	Description: "Time a worker spends in a task, sampled.",
}

// observe attaches p's counting words and gauges, and makes its histograms.
func (p *Pool) observe(o Options) {
	m := telemetry.NewMeter(o.MeterProvider, ScopeName, o.Name)
	telemetry.Observe(m, p, p.ended, tasksCounter)
	telemetry.ObserveGauges(m, p, func(p *Pool, word int) int64 {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch word {
		case 0:
			return int64(p.waiting())
		case 1:
			return int64(p.busy)
		default:
			return int64(len(p.members) - p.busy)
		}
	}, queueLength, workers)
	p.waited = telemetry.NewHistogram(m, waitDuration)
	p.ran = telemetry.NewHistogram(m, runDuration)
}
