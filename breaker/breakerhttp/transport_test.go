package breakerhttp_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
)

func TestAHostThatFailsIsRefusedAndOthersAreNot(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "down", http.StatusInternalServerError)
	}))
	defer down.Close()
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer well.Close()
	transport, err := breakerhttp.New(breakerhttp.Options{Options: breaker.Options{Name: "test", MinCalls: 3, OpenFor: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	get := func(url string) error {
		res, err := client.Get(url)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	for range 3 {
		if err := get(down.URL); err != nil {
			t.Fatal(err)
		}
	}
	err = get(down.URL)
	var open *breaker.OpenError
	if !errors.As(err, &open) || !errors.Is(err, breaker.ErrOpen) || open.RetryAfter() <= 59*time.Second {
		t.Fatalf("the fourth request returned %v, want an OpenError with about a minute to wait", err)
	}
	if err := get(well.URL); err != nil {
		t.Fatal(err)
	}
}
