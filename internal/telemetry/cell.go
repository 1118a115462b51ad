package telemetry

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

const (
	lineWords     = 8 // 64-bit words in a cache line
	maxLogStripes = 7 // bounds a cell's memory on machines with many cores: 128 stripes
	perProc       = 4 // stripes per processor: two goroutines that run at once seldom share a stripe
)

// Source is what a block counts in. Totals only grow, but for moments while a block moves counts between its words.
type Source interface {
	// Total returns the current total of one word. It is called at collection, from any goroutine.
	Total(word int) int64
}

// Cell holds a block's counting words, each striped over several cache lines so that cores do not fight over one. All
// methods are safe for concurrent use. It is made with [NewCell].
//
// Layout: stripes × stride words, where stride is the number of words rounded up to whole cache lines. A total is the
// sum of one word over all stripes.
type Cell struct {
	words  []atomic.Int64
	stride uint32
	log    uint32 // of the number of stripes
}

// NewCell returns a cell of n words, all 0.
func NewCell(n int) *Cell {
	log := min(bits.Len(uint(perProc*runtime.GOMAXPROCS(0)-1)), maxLogStripes)
	stride := uint32((n + lineWords - 1) / lineWords * lineWords)
	return &Cell{words: make([]atomic.Int64, stride<<log), stride: stride, log: uint32(log)}
}

// Add adds n to a word.
func (c *Cell) Add(word int, n int64) {
	c.words[Stripe(c.log)*c.stride+uint32(word)].Add(n)
}

// Inc adds 1 to a word and returns the new value of that word on this stripe: a cheap sequence of its own, which
// callers use to sample one call in so many. Stripes count on their own, so values repeat between goroutines.
func (c *Cell) Inc(word int) int64 {
	return c.words[Stripe(c.log)*c.stride+uint32(word)].Add(1)
}

// Total returns the sum of a word over all stripes.
func (c *Cell) Total(word int) int64 {
	var sum int64
	for i := uint32(word); i < uint32(len(c.words)); i += c.stride {
		sum += c.words[i].Load()
	}
	return sum
}
