package longwire

import (
	"encoding/base64"
	"slices"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire/wire"
)

// A Session is one peer: who it is, its subscriptions and what is owed to it,
// whatever links come and go. Its methods may be called from any goroutine,
// also from hooks.
//
// It belongs to one event loop for as long as it lives; links come to it there.
type Session struct {
	// Immutable once it began.
	node   *Node
	hub    *hub
	id     token
	secret token
	began  time.Duration // since the node did

	peer   atomic.Pointer[Peer] // any goroutine
	closed atomic.Bool          // nothing can be sent to it any more; any goroutine
	unsent atomic.Int32         // bytes of frames on their way to the loop; any goroutine
	owed   atomic.Int32         // calls and publications that wait for their answers; any goroutine
	acks   atomic.Pointer[ack]  // the last of those publications; any goroutine

	// Owned by the loop.
	line   *line // nil while it has no link
	subs   []*sub
	byName map[string]*sub // of subs; nil while there are few
	more   *more           // what few need; nil mostly
	rate   rate
	flags  uint16
}

// Bits of a session's flags.
const (
	sBegun     = 1 << iota // has a peer, and is in the registry unless it only reads
	sReader                // reads channels: no session of the protocol
	sToken                 // its link resumes by one token: live or behind as a whole
	sTailed                // its link puts something of its own into each message
	sWebSocket             // its link is one: it pings by itself, and says goodbye
	sPolled                // its link is polled: its client needs id and secret
	sStream                // its link is a response that goes on: its heart beats faster
	sFull                  // its link has no room: Drained will come
	sOver                  // and answers wait there beyond what it queues: it is not read
	sKnown                 // the peer was told id and secret, and can come back
	sBusy                  // a goroutine runs its hooks
	sHeld                  // history is asked where subscriptions begin
	sEnded                 // it has ended
)

// ofLink are the flags that change with the link.
const ofLink = sToken | sTailed | sWebSocket | sPolled | sStream

// busy reports whether frames have to wait for those before them.
func (s *Session) busy() bool { return s.flags&(sBusy|sHeld) != 0 }

// A token is an id or a secret: 128 random bits.
type token [16]byte

// tokenText is the length of a token's text.
const tokenText = 22

func (t *token) String() string { return string(t.appendTo(nil)) }

func (t *token) appendTo(dst []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, t[:])
}

func parseToken(s string) (t token, ok bool) {
	if len(s) != tokenText {
		return t, false
	}
	_, err := base64.RawURLEncoding.Strict().Decode(t[:], []byte(s))
	return t, err == nil
}

// ID returns the session's public id. It is no secret.
func (s *Session) ID() string { return s.id.String() }

// Peer returns who the session belongs to; never nil.
func (s *Session) Peer() *Peer {
	if p := s.peer.Load(); p != nil {
		return p
	}
	return &Peer{}
}

// more is what a session needs in rare states only.
type more struct {
	catch   catching
	waiting waiting
	queue   *frames         // that wait for others; nil while none do
	posts   *posts          // what came by POST; nil without
	away    *away           // while it has no link
	untold  map[*sub]untold // nil mostly
	last    polled          // its link, if it ended with one that is polled
	stood   stood           // where it ended, for that or for a reader's poll
	number  uint64          // of the last answer to polls, of all its links before
	pushed  [][]byte        // that waits for room
}

// A stood is where a session stood when its link was closed.
type stood struct {
	l  *line
	at Position
}

func (s *Session) rare() *more {
	if s.more == nil {
		s.more = &more{}
	}
	return s.more
}

// stand returns the number up to which the session has everything that it is to get.
func (s *Session) stand() uint64 {
	s.hub.look()
	if len(s.subs) == 0 {
		return s.hub.horizon
	}
	n := s.hub.had(s)
	for _, t := range s.subs {
		if t.catches() {
			n = min(n, t.after)
		}
	}
	return n
}

// position returns where the session stands, for the peer to come back with.
func (s *Session) position(now time.Time) Position {
	n := s.node
	if n.several() {
		m := s.marksOf(s.stand())
		return formatMarks(n.epoch.Load(), &m, n.parts, now)
	}
	return formatPosition(n.epoch.Load(), s.stand(), now)
}

// tokened returns m as it may leave on a link that resumes by one token: without
// one while some subscriptions catch up, because it would be ahead of them, unless all
// do so together.
func (s *Session) tokened(m *Message) *Message {
	if s.flags&sToken == 0 || m.at == "" {
		return m
	}
	if s.more.catching() > 0 && slices.ContainsFunc(s.subs, func(t *sub) bool { return !t.reads() }) {
		return m.bare()
	}
	return m
}

// again reports whether, on a link that resumes by one token, the publication of an
// entry of the hub's batch comes once more, for another subscription.
func (s *Session) again(i int) bool {
	if s.flags&sToken == 0 || len(s.subs) == 1 {
		return false
	}
	batch := s.hub.batch
	for e := batch[i].e; i+1 < len(batch) && batch[i+1].e == e && !e.loose(); i++ {
		if s.takes(i+1) != nil {
			return true
		}
	}
	return false
}

// takes returns the subscription that is to get an entry of the hub's batch, nil if there is none.
func (s *Session) takes(i int) *sub {
	e := &s.hub.batch[i]
	if t := s.find(e.list.topic.name); t != nil && t.list == e.list && t.after < e.number && !t.catches() {
		return t
	}
	return nil
}

// sendTogether sends a publication for all subscriptions that are to get it, from an entry of the
// hub's batch on. One token cannot say that some of them have it and others do not: so they all get it, or
// none.
func (s *Session) sendTogether(i int) error {
	batch := s.hub.batch
	var takers []*sub
	var ms []*Message
	for e := batch[i].e; i < len(batch) && batch[i].e == e; i++ {
		if t := s.takes(i); t != nil {
			takers, ms = append(takers, t), append(ms, batch[i].m)
		}
	}
	err := s.send(s.tokened(together(ms)))
	if err == nil {
		for _, t := range takers {
			t.after = max(t.after, batch[i-1].number)
		}
	}
	return err
}

// together returns one message for several, whose position is that of the last.
func together(ms []*Message) *Message {
	last := len(ms) - 1
	for i, m := range ms[:last] {
		ms[i] = m.bare()
	}
	return &Message{parts: ms, at: ms[last].at}
}

// inboxOf returns the session's inbox, or an empty name.
func (s *Session) inboxOf() string {
	if u := s.Peer().User; u != "" {
		return Inbox(u)
	}
	return ""
}

// mayName reports whether the session may name a channel or pattern where no
// hook decides: its own inbox, and anything in which @ begins no token. A pattern
// whose first token is a wildcard could match inboxes, which are of one token.
func (s *Session) mayName(name string) error {
	if s.node.opts.Open || name == s.inboxOf() {
		return nil
	}
	if name[0] == '@' || name[0] == '*' || name[0] == '>' {
		return wire.Errorf(wire.CodeForbidden, "%.80q is not for everybody: name channels, and patterns that begin with a word", name)
	}
	return nil
}
