// Package wire holds what both ends of a longwire connection must agree on: the error codes, the limits and
// the grammar of channel names. It knows nothing of sockets, sessions or time, and imports nothing of longwire.
package wire
