package longwire

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Message is immutable bytes with a kind. It is framed at most once for
// each form it leaves in, however many links send it. Any goroutine may use it.
type Message struct {
	kind   Kind
	data   []byte
	at     Position
	parts  []*Message            // it stands for these, one behind the other; nil mostly
	frames atomic.Pointer[frame] // list; grows at its head

	mu sync.Mutex // one goroutine frames at a time
}

type frame struct {
	form *Form
	b    []byte
	next *frame
}

// NewMessage returns a message of the given bytes, which must not be changed
// any more.
func NewMessage(kind Kind, data []byte) *Message { return &Message{kind: kind, data: data} }

// NewMessageAt returns a message with the position at which a peer stands that
// has it, for transports that can tell it beside the message: Server-Sent Events
// do, as the id that EventSource sends back. Others leave it out.
func NewMessageAt(kind Kind, data []byte, at Position) *Message {
	return &Message{kind: kind, data: data, at: at}
}

// Kind returns what the bytes are.
func (m *Message) Kind() Kind { return m.kind }

// Data returns the bytes. They must not be changed.
func (m *Message) Data() []byte { return m.data }

// Position returns the message's position, empty if it has none.
func (m *Message) Position() Position { return m.at }

// cost is what the message counts for in a queue: its bytes, and something
// for its place in it, lest a queue of empty messages has no end.
func (m *Message) cost() int { return len(m.data) + 32 }

// Frame returns the message in the given form. The bytes are shared and must
// not be changed.
func (m *Message) Frame(f *Form) []byte {
	if b := m.framed(f); b != nil {
		return b
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.framed(f); b != nil {
		return b
	}
	b := f.append(make([]byte, 0, len(m.data)+len(m.at)+32), m)
	m.frames.Store(&frame{form: f, b: b, next: m.frames.Load()})
	return b
}

func (m *Message) framed(f *Form) []byte {
	for fr := m.frames.Load(); fr != nil; fr = fr.next {
		if fr.form == f {
			return fr.b
		}
	}
	return nil
}

// A Form is one way in which messages leave: a WebSocket frame, a block of
// server-sent events in an HTTP chunk, a line. Links that frame alike share
// one Form, made once; forms are told apart by their address.
type Form struct {
	// Name is for people.
	Name string
	// Append appends the frame of a message to dst. It depends on nothing else,
	// keeps nothing, and may be called from any goroutine.
	Append func(dst []byte, kind Kind, p []byte) []byte
	// AppendAt is Append for a message with a position, where the form tells it. Nil
	// means that Append does. A link may need more bytes of its own to end the
	// frame that a form of its transport begins so; only the link sends those forms.
	AppendAt func(dst []byte, kind Kind, p []byte, at Position) []byte
}

// joinMessages returns a message that stands for several: its frame is theirs.
func joinMessages(run []entry) *Message {
	m := &Message{parts: make([]*Message, len(run))}
	for i := range run {
		m.parts[i] = run[i].m
	}
	return m
}

// bare returns the message without its position.
func (m *Message) bare() *Message {
	if m.parts == nil {
		return NewMessage(m.kind, m.data)
	}
	b := &Message{parts: slices.Clone(m.parts)}
	last := len(b.parts) - 1
	b.parts[last] = b.parts[last].bare()
	return b
}

func (f *Form) append(dst []byte, m *Message) []byte {
	for _, p := range m.parts {
		dst = append(dst, p.Frame(f)...)
	}
	if m.parts != nil {
		return dst
	}
	if m.at != "" && f.AppendAt != nil {
		return f.AppendAt(dst, m.kind, m.data, m.at)
	}
	return f.Append(dst, m.kind, m.data)
}
