// Package stream makes links of HTTP responses: Server-Sent Events, NDJSON and
// long-polling. A [Handler] is an http.Handler for one's own mux.
//
//	http.Handle("/events", &stream.Handler{Acceptor: &longwire.Plain{
//		Open: func(c *longwire.Conn) error { return c.Send(longwire.Text, []byte("hello")) },
//	}})
//
// On HTTP/1 the connection is taken from net/http and parked on an event loop,
// without a goroutine or a buffer of its own; a response that ends gives it
// back, so that the next request uses it. On HTTP/2, and where a middleware
// does not let the connection go, the request's goroutine serves the same link.
//
// How messages look in the response is an [Encoder]'s part: a set of pure
// functions. [SSE], [NDJSON], [Poll] and [Lines] are here, and a program can
// bring its own. Where [Handler.Upstream] is set, clients talk back by POST.
//
// The package knows HTTP requests and responses. It knows nothing of sessions.
package stream
