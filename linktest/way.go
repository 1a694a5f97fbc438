package linktest

import (
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A Way is one way in: how to serve it, how its clients connect, and what it
// can do. The traits say what the transport's protocol can carry, never what
// an implementation happens to do.
type Way struct {
	// Name is for people, and one element of test names.
	Name string
	// Serve makes links for o.Acceptor until t ends, and returns how to connect.
	// The client's link is opened without a further word of it, in the order
	// of the calls.
	Serve func(t *testing.T, o Options) (dial func() (Client, error))

	// Transport is what LinkInfo says.
	Transport string
	// Kinds are those that arrive as they were sent, both ways.
	Kinds []longwire.Kind
	// Without are the bytes that no message can contain.
	Without string
	// NoBoundaries says that the transport keeps bytes in order, but not where
	// one message ends.
	NoBoundaries bool
	// NoEmpty says that an empty message cannot be carried.
	NoEmpty bool
	// Codes says that a client is told with which code a link ends, and Reasons
	// that it is told the reason too.
	Codes, Reasons bool
	// Leave is the code of a link whose client closed it in order. Empty means
	// normal. Lost says that the transport has no goodbye.
	Leave wire.Code
	// Gone is the code of a link whose connection broke, on a transport that
	// cannot tell that from a goodbye. Empty means lost.
	Gone wire.Code
	// Forgets says that only time tells that a client is gone.
	Forgets bool
	// Posts says that clients send by requests of their own (HTTP), so what one
	// sends just before it ends may come too late, and one that sends too much is
	// refused instead of held back.
	Posts bool
	// Unparked says that links cost goroutines on every engine.
	Unparked bool
	// TLS says that connections are encrypted.
	TLS bool
	// Target and Header are what LinkInfo says of the request that clients make:
	// Header is the value of X-Linktest. Empty on transports without requests.
	Target, Header string
	// Framed, if set, counts the frames that were made so far.
	Framed func() int64
}

// Options are what Serve is to serve with.
type Options struct {
	Engine     *longwire.Engine
	Acceptor   longwire.Acceptor
	MaxMessage int // zero means the default
	// Forget is how soon a client that is gone without a word is to be taken
	// for lost, where only time can tell. Zero means the default.
	Forget time.Duration
}

// A Client is the other end of a link. It reads from its connection only in
// Receive, or not much further ahead than that. Send and Receive may be called
// at the same time as each other, and Cut at any time; it ends them.
type Client interface {
	// Send sends one message and returns when it is on its way.
	Send(kind longwire.Kind, p []byte) error
	// Receive returns the next message. The error of the end is a
	// *longwire.Close if the server said why, io.EOF if it only ended, anything
	// else for a connection that broke.
	Receive() (kind longwire.Kind, p []byte, err error)
	// Close ends the link in order, in the transport's way, after what was
	// sent, drops what still comes, and waits for the end.
	Close() error
	// Cut breaks the connection without a goodbye, and frees all there is.
	Cut()
}

// A CloseWriter is a [Client] that can finish writing and still read.
type CloseWriter interface{ CloseWrite() error }

// An Addresser is a [Client] that knows its two addresses, as "host:port".
type Addresser interface{ Addresses() (local, remote string) }
