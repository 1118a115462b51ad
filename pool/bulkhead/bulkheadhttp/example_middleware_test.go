package bulkheadhttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/bulkhead/bulkheadhttp"
)

func ExampleMiddleware() {
	b, err := bulkhead.New(bulkhead.Options{Name: "api", Limit: bulkhead.Fixed(1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	var handler http.Handler
	handler = bulkheadhttp.Middleware(b, bulkheadhttp.Options{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		again := httptest.NewRecorder()
		handler.ServeHTTP(again, r) // the only slot is taken
		fmt.Println(again.Code, again.Header().Get("Retry-After"), again.Header().Get("Content-Type"))
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Code)
	// Output:
	// 503 1 application/problem+json
	// 200
}

// The limit is found, some requests may wait, and when not all can be answered those for payments are.
func ExampleOptions() {
	b, err := bulkhead.New(bulkhead.Options{Name: "api", Limit: bulkhead.Gradient{}, MaxQueue: 200})
	if err != nil {
		fmt.Println(err)
		return
	}
	limit := bulkheadhttp.Middleware(b, bulkheadhttp.Options{
		Priority: func(r *http.Request) bulkhead.Priority {
			if strings.HasPrefix(r.URL.Path, "/payments/") {
				return bulkhead.Critical
			}
			return bulkhead.Normal
		},
	})
	handler := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "paid") }))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/payments/1", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 paid
}

func ExampleOutcomeOf() {
	for _, status := range []int{200, 404, 500, 503} {
		switch bulkheadhttp.OutcomeOf(status) {
		case bulkhead.Succeeded:
			fmt.Println(status, "success")
		case bulkhead.Ignored:
			fmt.Println(status, "says nothing")
		case bulkhead.Dropped:
			fmt.Println(status, "overload")
		}
	}
	// Output:
	// 200 success
	// 404 success
	// 500 says nothing
	// 503 overload
}
