// Package ws makes links of WebSocket connections (RFC 6455). A [Handler] is
// an http.Handler for one's own mux: it checks the opening handshake, takes the
// connection from net/http, and the link lives on an event loop from then on,
// without a goroutine or a buffer of its own.
//
//	http.Handle("/echo", &ws.Handler{Acceptor: &longwire.Plain{
//		Message: func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) },
//	}})
//
// Text messages arrive as [longwire.Text] and binary ones as [longwire.Binary];
// Text and JSON leave as text messages. Every message leaves in one frame.
//
// The package knows frames, through internal/frame, and HTTP requests. It
// knows nothing of sessions.
package ws
