package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

// LogInterval is the least time between two lines of one block about one cause.
const LogInterval = 10 * time.Second

// Log tells about failures that no caller sees, at most one line per cause and LogInterval, with the number of lines
// it left out. A line names the block, the cause and the types of the error, never a key, a value or an error's text,
// which may hold both. It is made with [NewLog] and safe for concurrent use.
type Log struct {
	logger  *slog.Logger
	message string
	name    string
	clock   clock.Clock

	mu     sync.Mutex
	causes map[string]*logged // causes are constants of the code, so the map is bounded
}

type logged struct {
	at         int64 // clock reading of the last line
	suppressed int64
}

// NewLog returns the log of the block called name in the package pkg, such as "joist/cache". A nil logger is
// slog.Default() at the time of each line.
func NewLog(logger *slog.Logger, pkg, name string) *Log {
	if name == "" {
		name = DefaultName
	}
	return &Log{logger: logger, message: pkg, name: name, clock: clock.New(), causes: make(map[string]*logged)}
}

// Warn logs that something failed for the given cause, a constant such as "refresh failed".
func (l *Log) Warn(ctx context.Context, cause string, err error) {
	suppressed, due := l.due(cause)
	if !due {
		return
	}
	logger := l.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelWarn, l.message+": "+cause,
		slog.String(string(NameKey), l.name),
		slog.String("error.type", ErrorType(err)),
		slog.Int64("suppressed", suppressed))
}

func (l *Log) due(cause string) (suppressed int64, due bool) {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.causes[cause]
	if c == nil {
		l.causes[cause] = &logged{at: now}
		return 0, true
	}
	if now-c.at < int64(LogInterval) {
		c.suppressed++
		return 0, false
	}
	suppressed = c.suppressed
	c.at, c.suppressed = now, 0
	return suppressed, true
}

// maxErrorTypes bounds how deep ErrorType looks.
const maxErrorTypes = 8

// ErrorType names the Go types along err's chain of wrapping, outermost first: what can be told of an error without
// its text.
func ErrorType(err error) string {
	var types []string
	for ; err != nil && len(types) < maxErrorTypes; err = errors.Unwrap(err) {
		types = append(types, fmt.Sprintf("%T", err))
	}
	return strings.Join(types, " > ")
}
