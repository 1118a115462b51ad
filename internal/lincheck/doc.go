// Package lincheck shows that what many goroutines see of a block is what they could have seen one after the other: it
// records what they do, and has porcupine look for an order that a small model allows. It is a module of its own so that
// porcupine is nobody's requirement.
package lincheck
