package bulkheadhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/bulkhead/bulkheadhttp"
)

// A handler whose request ends early answers early, and as it likes. Neither its time nor its status tells of the load.
func TestAnAnswerAfterTheEndOfItsRequestIsJudgedByThatEnd(t *testing.T) {
	for name, c := range map[string]struct {
		status   int // 0: the handler writes nothing
		deadline bool
		falls    bool
	}{
		"a client that has gone":                    {0, false, false},
		"a client that has gone, answered with 503": {503, false, false},
		"a deadline":                    {0, true, true},
		"a deadline, answered with 500": {500, true, true},
		"a deadline, answered with 200": {200, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBulkhead(t, bulkhead.Options{Limit: bulkhead.AIMD{Initial: 50}})
				h := wrap(b, func(w http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					if c.status != 0 {
						w.WriteHeader(c.status)
					}
				})
				for range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					if c.deadline {
						ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
					} else {
						time.AfterFunc(10*time.Millisecond, cancel)
					}
					get(ctx, h)
					cancel()
				}
				if got := b.Stats(); got.Limit < 50 != c.falls || got.Accepted != 50 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// A fast end is no fast answer: a limit that follows the calls' times must not learn from it.
func TestTheTimeUntilAClientLeftIsNoTimeOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(t, bulkhead.Options{Limit: bulkhead.AIMD{Initial: 1, Max: 100}})
		h := wrap(b, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			get(ctx, h)
		}
		if got := b.Stats().Limit; got != 1 {
			t.Errorf("the limit has grown to %d", got)
		}
	})
}

func TestAConnectionThatIsTakenOverSaysNothing(t *testing.T) {
	if got := bulkheadhttp.OutcomeOf(http.StatusSwitchingProtocols); got != bulkhead.Ignored {
		t.Errorf("101: %v", got)
	}
	status := make(chan int, 1)
	server := httptest.NewServer(bulkheadhttp.Middleware(newBulkhead(t, bulkhead.Options{Limit: bulkhead.AIMD{}}), bulkheadhttp.Options{
		Outcome: func(s int) bulkhead.Outcome {
			status <- s
			return bulkheadhttp.OutcomeOf(s)
		},
	})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
		_ = conn.Close()
	})))
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	server.Close()
	if got := <-status; got != http.StatusSwitchingProtocols {
		t.Errorf("the outcome of status %d", got)
	}
}

// unflushable is a ResponseWriter without Flush; broken has one that fails.
type unflushable struct{ http.ResponseWriter }

type broken struct{ unflushable }

var errBroken = errors.New("broken")

func (broken) FlushError() error { return errBroken }

func TestAResponseControllerLearnsThatAFlushFailed(t *testing.T) {
	for _, c := range []struct {
		w    http.ResponseWriter
		want error
	}{{unflushable{httptest.NewRecorder()}, http.ErrNotSupported}, {broken{unflushable{httptest.NewRecorder()}}, errBroken}, {httptest.NewRecorder(), nil}} {
		wrap(newBulkhead(t, bulkhead.Options{}), func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); !errors.Is(err, c.want) {
				t.Errorf("%T: %v, want %v", c.w, err, c.want)
			}
		}).ServeHTTP(c.w, httptest.NewRequest(http.MethodGet, "/", nil))
	}
}

// The status that counts is the one that the client has got.
func TestAStatusThatComesAfterTheAnswerBeganDoesNotCount(t *testing.T) {
	for name, begin := range map[string]func(w http.ResponseWriter){
		"Write":    func(w http.ResponseWriter) { _, _ = w.Write([]byte("ok")) },
		"ReadFrom": func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("ok")) },
		"Flush":    func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"Header":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
	} {
		var told int
		h := bulkheadhttp.Middleware(newBulkhead(t, bulkhead.Options{Limit: bulkhead.AIMD{}}), bulkheadhttp.Options{
			Outcome: func(status int) bulkhead.Outcome {
				told = status
				return bulkhead.Succeeded
			},
		})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			begin(w)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		if got := get(t.Context(), h).Code; got != http.StatusOK || told != got {
			t.Errorf("%s: the client got %d, the limit was told %d", name, got, told)
		}
	}
}
