// Package longwire keeps very many long-lived connections open, cheaply, and
// loses nothing on them. Raw TCP, WebSocket and HTTP (Server-Sent Events,
// streaming NDJSON, long-polling) are equal ways in.
//
// A transport (packages transport/tcp, transport/ws, transport/stream) makes
// a [Link] of each connection and hands it to an [Acceptor]. There are two:
//
//   - [Node] is the session door. It speaks the session protocol
//     (docs/protocol.md) and gives sessions that live on while links come and go,
//     channels, patterns, history and resume. [Handler] has its hooks.
//   - [Plain] is for a protocol of one's own: open, message, close.
//
// Publications go through a [Broker], which keeps history; [NewMemory] is one.
//
// Connections live on the event loops of an [Engine], one per core: an idle one
// has no goroutine, no buffer and no timer of the runtime.
package longwire
