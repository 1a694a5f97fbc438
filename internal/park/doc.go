// Package park is the room between the net package and the event loops: the
// listener whose connections are either blocking, for net/http and crypto/tls,
// or parked on a loop, where they cost no goroutine; TLS on a loop; taking
// connections from net/http, and giving them back.
//
// It knows sockets, TLS and the head of an HTTP/1 response. It knows nothing
// of messages, links or sessions.
//
//	ln, err := park.Listen(ctx, "tcp", "127.0.0.1:8080", nil)
//	go srv.Serve(ln)
//
//	func handler(w http.ResponseWriter, r *http.Request) {
//		t, err := park.Take(w, r)
//		if errors.Is(err, park.ErrNotParkable) {
//			// HTTP/2: write the header, then Hold, Adopt and Wait
//		}
//		head, err := park.AppendHead(nil, time.Now(), t.Head(200, -1))
//		err = t.Adopt(group, head, open)
//	} // and the handler returns, while the connection lives on
package park

import "errors"

// Errors that callers branch on.
var (
	// ErrNotParkable is what [Take] wraps, with the reason, when the request's
	// connection cannot be had. Nothing was consumed; [Hold] serves it.
	ErrNotParkable = errors.New("park: the connection cannot be taken from net/http")
	// ErrBody says that the request has a long body that nobody read. Nothing
	// was taken: read it, or answer 413.
	ErrBody = errors.New("park: the request has a body; read it before its connection is parked, or refuse it with 413")
	// ErrHeader says that a header is not fit to be sent.
	ErrHeader = errors.New("park: a header field has a character that HTTP forbids")
	// ErrHandshake says that a TLS handshake was not finished in time.
	ErrHandshake = errors.New("park: the TLS handshake was not finished within 10 s")
	// ErrUnread ends a connection whose last response was not read in time.
	ErrUnread = errors.New("park: the response was not read within 30 s")
)
