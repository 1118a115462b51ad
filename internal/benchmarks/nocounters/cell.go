// Package telemetry is, in this directory, a stand-in for one file of internal/telemetry: a [Cell] that counts nothing.
//
// The benchmarks build themselves a second time with this file in the place of internal/telemetry/cell.go (the go
// command's -overlay), and run both builds side by side: what differs is what counting costs. It is used for nothing
// else. Whatever cell.go exports, this file has to export as well.
package telemetry

// Source is what a block counts in.
type Source interface {
	Total(word int) int64
}

// Cell counts nothing.
type Cell struct{}

// sequence is what Inc returns: no multiple of a power of two, and not next to one either, so that whatever samples
// one call in so many samples none.
const sequence = 0x55555555

// NewCell returns a cell that counts nothing.
func NewCell(int) *Cell { return &Cell{} }

// Add does nothing.
func (*Cell) Add(int, int64) {}

// Inc does nothing and returns always the same number.
func (*Cell) Inc(int) int64 { return sequence }

// Total returns 0.
func (*Cell) Total(int) int64 { return 0 }
