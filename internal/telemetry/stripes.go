package telemetry

import "unsafe"

const logStack = 11 // log2 of the smallest stack: below it all addresses of one stack are the same to us

// Stripe returns a number below 2^log, mostly the same for one goroutine and mostly different for goroutines that run at
// the same time, so that they write different cache lines of what they count in together. log is at most 32.
//
// The number comes from the address of the caller's stack: goroutines that run at the same time have different stacks, and
// reading a stack address is free where asking for the processor's number is not possible and a random number costs as
// much as an addition. The address is only hashed, never followed, so a stack that moves does no harm. The hash is
// Fibonacci's (Knuth, TAOCP 6.4): the top bits of a product with 2^32 / φ spread stacks that lie side by side best.
func Stripe(log uint32) uint32 {
	var here byte
	hash := uint32(uintptr(unsafe.Pointer(&here))>>logStack) * 0x9E3779B9
	return uint32(uint64(hash) >> ((32 - log) & 63))
}
