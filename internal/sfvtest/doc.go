// Package sfvtest shows that what ratelimithttp writes and parses is what a Structured Fields library understands. It is a
// module of its own so that such a library is nobody's requirement.
package sfvtest
