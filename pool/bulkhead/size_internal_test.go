package bulkhead

import (
	"strconv"
	"testing"
	"unsafe"
)

// Were it otherwise, chance would say which blocks share a line with the word that each call writes.
func TestWhatCallsWriteHasACacheLineToItself(t *testing.T) {
	const line, pair = 64, 128 // the hardware fetches lines in pairs, and objects of this size are aligned
	var s slots
	if size, read := unsafe.Sizeof(s), unsafe.Offsetof(s.clock); strconv.IntSize == 64 && (size != pair || read != line) {
		t.Errorf("%d bytes, of which those that are only read begin at %d; want %d and %d", size, read, pair, line)
	}
}
