package longwire

import (
	"context"
	"time"
)

// Handler is the session door's hooks. They may block: a session with work for
// them has a goroutine for as long as it has work, and its frames stay in
// order; of one session no two hooks run at once, except Disconnect. Of nil hooks Connect,
// Subscribe and Publish let everything pass if [Options.Open] is set, and otherwise
// say so below; Call and Send refuse; Disconnect does nothing.
//
// An error refuses: a [wire.Error] in it says with which code and message, any
// other counts as forbidden, and its text is logged and not told.
type Handler struct {
	// Connect is asked when a session begins, and again when one is resumed: only
	// the same user gets it. Nil takes everybody, without a user.
	Connect func(ctx context.Context, r *ConnectRequest) (*Peer, error)
	// Disconnect hears, once, that a session has ended: the peer said goodbye, or did
	// not come back within the resume window.
	Disconnect func(ctx context.Context, e *DisconnectEvent)
	// Subscribe is asked before a session subscribes to a channel or pattern by
	// itself. Nil allows channels and patterns whose first token is a word without @.
	Subscribe func(ctx context.Context, s *Session, channel string) error
	// Publish is asked before a session's publication is published, and may change
	// it, but not write into its Data: it puts other bytes there. What it makes is checked as
	// what came was, and refused if a client could not have published it. Nil refuses.
	Publish func(ctx context.Context, s *Session, p *Publication) error
	// Call hears a request. It, or whoever it hands c to, calls c.Reply or c.Fail, once,
	// now or later, from anywhere.
	Call func(s *Session, c *Call)
	// Send hears a message that wants no answer. Data is valid until it returns.
	Send func(s *Session, method string, kind Kind, data []byte)
}

// A ConnectRequest is what a peer says of itself when its session begins.
type ConnectRequest struct {
	Token string // as the peer sent it; empty if it did not
	Name  string // the client's name for itself, for logs; at most 64 bytes
	Link  *LinkInfo
}

// A Peer is who a session belongs to. Nil or a zero Peer is nobody in particular.
type Peer struct {
	// User is the user's id, at most 512 bytes. Each session of a user is subscribed to
	// its inbox, the channel that [Inbox] tells. Empty is anonymous, without an inbox.
	User string
	// Tag is for the hooks' use.
	Tag any
}

// A DisconnectEvent says how a session ended.
type DisconnectEvent struct {
	ID     string // the session's public id
	Peer   *Peer
	Reason *Close        // of its last link, or of Session.Close
	Lived  time.Duration // since it began
}
