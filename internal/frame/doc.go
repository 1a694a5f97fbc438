// Package frame is the codec of WebSocket messages (RFC 6455): headers, masking, UTF-8, reassembly, closing, and
// the few pure functions of the opening handshake.
//
// It knows bytes and nothing else: no sockets, no goroutines, no clock. A server, a client and a load generator use
// the same code, in the role their [Config] says. What is received goes through a [Reader]; what is sent is appended
// to a slice by AppendMessage and its relatives.
//
// Nothing here may be called by two goroutines at once on the same value.
package frame
