// Package wire holds what both ends of a longwire connection must agree on: the frames of sessions and how they
// are written and read, the error codes, the limits and the grammar of channel names. It knows nothing of
// sockets, sessions or clocks, and imports nothing of longwire.
//
// Frames are JSON. A server reads them with [Frame] and writes them with the Append functions, both made for
// speed; a client writes them with Append functions, too, and reads them with [ServerFrame] and encoding/json.
// The binary form, Protocol Buffers, will stand beside these under the same types.
package wire
