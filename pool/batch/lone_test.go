//go:build !race

package batch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/batch"
)

// The lone call is the common one in a quiet service. The median says what it costs: single ones can always be held up by
// the rest of the machine.
func TestALoneCallHardlyWaits(t *testing.T) {
	b := newBatcher(t, batch.Options[int, int]{Run: double})
	waits := make([]time.Duration, 501)
	for i := range waits {
		begun := time.Now()
		if _, err := b.Get(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		waits[i] = time.Since(begun)
	}
	slices.Sort(waits)
	t.Logf("median %v, p99 %v", waits[250], waits[495])
	if waits[250] > 50*time.Microsecond {
		t.Errorf("the median call waits %v, want 50µs at most", waits[250])
	}
}
