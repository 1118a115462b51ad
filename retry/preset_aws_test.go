package retry_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/joist-go/joist/retry"
)

// The quota is in the comments; a fifth of it is available.
func TestAWSsQuotaStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.AWSBudget()
		p, _ := preset(t, b, err)
		late := context.DeadlineExceeded
		ok, down := []error{nil}, []error{errDown, errDown}
		walk(t, p, b, []step{
			{"it is full", ok, 1, 100},                                                  // 500
			{"a retry costs 5", down, 2, 99},                                            // 495
			{"after a time-out it costs 10", []error{late, errDown}, 2, 97},             // 485
			{"what the retry failed with costs nothing", []error{errDown, late}, 2, 96}, // 480
			{"a success after a retry gets 5 back", []error{errDown, nil}, 2, 96},       // 480
			{"and 10 after a time-out", []error{late, nil}, 2, 96},                      // 480
			{"a success at once adds 1", ok, 1, 96.2},                                   // 481
			{"no retry, no cost", []error{retry.Permanent(errDown)}, 1, 96.2},           // 481
		})
		for i := range 96 {
			walk(t, p, b, []step{{"while 5 are there", down, 2, 95.2 - float64(i)}})
		}
		walk(t, p, b, []step{ // 1
			{"less than 5 refuses", down, 1, 0.2},
			{"3 more", ok, 1, 0.4}, {"3 more", ok, 1, 0.6}, {"3 more", ok, 1, 0.8}, // 4
			{"4 refuses", down, 1, 0.8},
			{"1 more", ok, 1, 1},
			{"5 refuse a time-out's 10", []error{late}, 1, 1},
			{"5 pay for a retry, which succeeds", []error{errDown, nil}, 2, 1},
			{"5 pay for a retry, which fails", down, 2, 0},
		})
		if s := b.Stats(); s.Name != "aws" || s.Refused != 3 {
			t.Errorf("stats are %+v", s)
		}
		succeedN(t, p, 1000)
		walk(t, p, b, []step{{"500 is the most", ok, 1, 100}})
	})
}

func TestAWSsSuccessGetsBackItsLastRetryOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.AWSBudget()
		if err != nil {
			t.Fatal(err)
		}
		p := newPolicy(t, retry.Options{MaxAttempts: 3, Backoff: instant, Budget: b})
		walk(t, p, b, []step{
			{"5 and 10, and 10 back", []error{errDown, context.DeadlineExceeded, nil}, 3, 99}, // 495
			{"10 and 5, and 5 back", []error{context.DeadlineExceeded, errDown, nil}, 3, 97},  // 485
		})
	})
}
