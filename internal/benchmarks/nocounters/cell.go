// Package telemetry is, in this directory, a stand-in for one file of internal/telemetry: a [Cell] that counts nothing.
//
// The benchmarks build themselves a second time with this file in the place of internal/telemetry/cell.go (the go
// command's -overlay), and run both builds side by side: what differs is what counting costs. It is used for nothing
// else. Whatever cell.go exports, this file has to export as well.
package telemetry

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Source is what a block counts in.
type Source interface {
	Total(word int) int64
}

// Cell counts nothing. It has words all the same: a block that asks for a word itself, with Word, does so because a
// protocol needs it (such as the calls that a Close has to wait for), and that is no cost of counting.
type Cell struct {
	words  []atomic.Int64
	stride uint32
	mask   uint32
}

// sequence is what Inc returns: no multiple of a power of two, and not next to one either, so that whatever samples
// one call in so many samples none.
const sequence = 0x55555555

// NewCell returns a cell that counts nothing, with as many words as a real one.
func NewCell(n int) *Cell {
	stripes := min(uint32(1)<<bits.Len(uint(4*runtime.GOMAXPROCS(0)-1)), 128)
	stride := uint32((n + 7) / 8 * 8)
	return &Cell{words: make([]atomic.Int64, stripes*stride), stride: stride, mask: stripes - 1}
}

// Add does nothing.
func (*Cell) Add(int, int64) {}

// Inc does nothing and returns always the same number.
func (*Cell) Inc(int) int64 { return sequence }

// Word returns the caller's stripe of a word.
func (c *Cell) Word(word int) *atomic.Int64 {
	var here byte
	stripe := uint32(uintptr(unsafe.Pointer(&here))>>11) * 0x9E3779B1 >> 16
	return &c.words[(stripe&c.mask)*c.stride+uint32(word)]
}

// Total returns the sum of what was added to a word that Word returned.
func (c *Cell) Total(word int) int64 {
	var sum int64
	for i := uint32(word); i < uint32(len(c.words)); i += c.stride {
		sum += c.words[i].Load()
	}
	return sum
}
