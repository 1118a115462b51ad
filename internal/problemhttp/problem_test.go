package problemhttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/problemhttp"
)

func TestAProblemIsWrittenWithItsStatusAndMediaType(t *testing.T) {
	w := httptest.NewRecorder()
	problemhttp.Write(w, make([]string, 1), http.StatusServiceUnavailable, problemhttp.Of(http.StatusServiceUnavailable, "Try again."))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	want := `{"title":"Service Unavailable","status":503,"detail":"Try again."}` + "\n"
	if got := w.Body.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAProblemDoesNotPassForTheAnswerThatWasToCome(t *testing.T) {
	w := httptest.NewRecorder()
	for _, field := range []string{"Cache-Control", "Content-Encoding", "Content-Length", "ETag", "Last-Modified", "Vary"} {
		w.Header().Set(field, "1")
	}
	problemhttp.Write(w, make([]string, 1), http.StatusTooManyRequests, problemhttp.Of(http.StatusTooManyRequests, ""))
	if got := len(w.Header()); got != 2 || w.Header().Get("Vary") != "1" {
		t.Errorf("the fields are %v, want Content-Type and Vary", w.Header())
	}
}

func TestSecondsAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, 1<<63 - 1: 9223372037,
	} {
		if got := problemhttp.Seconds(d); got != want {
			t.Errorf("%v: %d, want %d", d, got, want)
		}
	}
}
