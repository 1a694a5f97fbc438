// Package linktest holds every way in to the same contract. [Run] serves a
// transport, connects to it as its clients do, and tries each clause below, on
// loops that watch descriptors and on loops over goroutines, with handlers on
// the loop and off it. A transport of one's own passes if Run does:
//
//	func TestConformance(t *testing.T) { linktest.Run(t, linktest.Way{ … }) }
//
// # What a link promises
//
// A link is one open connection that carries messages; see [longwire.Link],
// [longwire.Receiver] and [longwire.Acceptor] for the methods.
//
// Concurrency. A link belongs to one loop. Its methods are called there, never
// block and never call the receiver from inside. The receiver hears one call
// at a time. At the plain door this becomes: the calls for one connection never
// overlap and come as Open, then Message for each message, then Close, once;
// a [longwire.Conn] may be used from any goroutine and from its own handlers.
//
// Ownership. The bytes of a message that arrived are the handler's until it
// returns; it may change them, and must not keep them. Send copies. A
// [longwire.Message] is shared and never changed by anybody, and is framed
// once for each form, however many links it leaves on.
//
// Order. Messages arrive whole, in the order they were sent, none missing and
// none twice, until the link ends. What several goroutines send is mixed
// between messages, never within one, and each goroutine's own order is kept.
// Kinds are kept where the transport has them.
//
// Bounds. What a peer that does not read makes a link keep is at most 16 KiB and
// one message, besides the kernel's buffers. Beyond that Send says
// [longwire.ErrFull] and has queued nothing; Drained follows when all has been
// written, and SendWait returns then. What was taken arrives. A peer whose
// messages are not handled is held back, at 16 messages or 64 KiB. Neither
// slows another link. A message over the limit ends its link with too_large.
//
// Ends. Every link ends with a [longwire.Close], which its Close handler hears
// once, whatever both sides do at the same time:
//
//   - closed here: what was sent before is flushed for at most a second, then
//     the peer is told code and reason if the transport has words for them;
//   - closed by the peer in order: Remote is set, and every message that came
//     before is handled first;
//   - cut: lost;
//   - refused by Open: the peer is told as in a close, Close is not called;
//   - a handler that panics: handler_panic, and no other link notices;
//   - the engine is closed: going_away.
//
// A peer that has finished writing, where the transport can say that, hears the
// answers to what it sent before the link is closed. After the end Send,
// SendMessage and SendWait return [longwire.ErrClosed], and nothing is left
// behind: no goroutine, no descriptor.
package linktest
