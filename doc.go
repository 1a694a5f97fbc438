// Package longwire keeps very many long-lived connections open, cheaply. Raw
// TCP, WebSocket and HTTP (Server-Sent Events, streaming NDJSON, long-polling)
// are equal ways in.
//
// A transport (packages transport/tcp, transport/ws, transport/stream) makes
// a [Link] of each connection and hands it to an [Acceptor]. [Plain] is the
// acceptor for a protocol of one's own: open, message, close.
//
// Connections live on the event loops of an [Engine], one per core: an idle one
// has no goroutine, no buffer and no timer of the runtime.
package longwire
