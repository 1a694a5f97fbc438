package frame

import (
	"math"
	"unicode/utf8"
)

// DefaultMaxMessage is the bound on a message where Config sets none.
const DefaultMaxMessage = 1 << 20

// MaxRest is the most bytes that Next leaves unconsumed when it yields nothing: a control frame that lacks its last
// byte. A caller's buffer for the rest never has to be larger.
const MaxRest = 2 + 4 + MaxControl - 1

// None is the Op of an Event that is none. It is Continuation, which a Reader never yields: fragments come out as
// the message they make.
const None = Continuation

// A Config says how to judge what comes in. It is shared by all connections of a kind and must not change while
// they use it.
type Config struct {
	// Server reports that the bytes come from clients, which must mask; otherwise from a server, which must not.
	Server bool
	// MaxMessage bounds the payload of a message in bytes, over all its fragments, before inflating.
	// If zero, DefaultMaxMessage; if negative, there is no bound but that of int.
	MaxMessage int
	// AllowRSV1 reports that permessage-deflate was agreed. Compressed messages are yielded as they came, marked,
	// their text unchecked: whoever inflates them bounds the result and checks it.
	AllowRSV1 bool
}

var zeroConfig Config

func (c *Config) maxMessage() int {
	switch {
	case c.MaxMessage == 0:
		return DefaultMaxMessage
	case c.MaxMessage < 0:
		return math.MaxInt / 2 // far from overflow when overhead is added
	}
	return min(c.MaxMessage, math.MaxInt/2)
}

// check judges what a header says about the two sides and their agreement.
func (c *Config) check(h Header) error {
	switch {
	case h.RSV1 && (!c.AllowRSV1 || h.Op.IsControl() || h.Op == Continuation):
		return errRSV1
	case c.Server && !h.Masked:
		return errUnmasked
	case !c.Server && h.Masked:
		return errMasked
	}
	return nil
}

// An Event is what came in whole: a message (Op Text or Binary), a Ping, a Pong, or a Close.
type Event struct {
	Op         Opcode // None when nothing came in whole yet
	Compressed bool   // Data is a message still to be inflated (RFC 7692, 6.2)
	Code       uint16 // of a Close; CloseNoStatus when the peer gave none
	Data       []byte // the message, the ping's or pong's payload, the close's reason
}

// A Reader turns the bytes of one direction of one connection into events. It holds nothing but three words at rest:
// a frame that is whole in the caller's bytes is yielded as a part of them, unmasked in place, without copy or
// allocation. Only a message that comes in several pieces gets a buffer, from a pool, until it is delivered.
//
// What a peer can make it hold: about twice the bytes it sent and at most MaxMessage, or a recycled buffer of at most
// 16 KiB. A declared length alone takes no memory, and is refused at once when it is too large. Each frame of a
// message in pieces also counts 16 bytes; payload and these together are bounded by MaxMessage, a quarter of it, and
// 1 KiB, so that floods of tiny or empty fragments end.
//
// The zero Reader is that of a client with default limits; set Config before the first Next.
type Reader struct {
	Config *Config // nil means the zero Config
	mid    *partial
	ended  bool
}

// Next looks at p, consumes n bytes of it, and yields at most one event. With None, the bytes left over (at most
// MaxRest) cannot be judged yet: present them again, followed by what arrives next. So the caller's loop is
//
//	for {
//		ev, n, err := r.Next(p)
//		p = p[n:]
//		if err != nil || ev.Op == frame.None {
//			break // and keep p
//		}
//		…
//	}
//
// and it asks once more after the last event even if p is empty, which also gives back the buffer of a message that
// came in pieces.
//
// Next may change the bytes it consumes. Event.Data is valid until the next call of Next or Release and may be a part
// of p; the caller may change it, and its capacity ends with it.
//
// err is an [*Error]: close the connection with its code. After it, after a Close, and after Release nothing more is
// yielded, and everything is consumed unread (RFC 6455, 1.4: what follows a Close is ignored).
func (r *Reader) Next(p []byte) (ev Event, n int, err error) {
	if r.mid != nil && r.mid.delivered {
		r.drop()
	}
	for !r.ended {
		if r.mid != nil && r.mid.inFrame {
			took, whole, err := r.mid.absorb(p[n:])
			n += took
			if err != nil {
				return r.fail(p, err)
			}
			if whole {
				return r.mid.deliver(), n, nil
			}
			if r.mid.inFrame {
				return Event{}, n, nil
			}
		}
		h, size, err := ParseHeader(p[n:])
		if err == nil && size > 0 {
			err = r.config().check(h)
		}
		if err != nil {
			return r.fail(p, err)
		}
		if size == 0 {
			return Event{}, n, nil
		}
		whole := h.Length <= int64(len(p)-n-size)
		switch {
		case h.Op.IsControl():
			if !whole {
				return Event{}, n, nil
			}
			ev, err = r.control(h, p[n+size:])
		case whole && h.Fin && r.mid == nil && h.Op != Continuation:
			ev, err = r.single(h, p[n+size:])
		default:
			if err = r.begin(h); err == nil {
				n += size
				continue
			}
		}
		if err != nil {
			return r.fail(p, err)
		}
		return ev, n + size + int(h.Length), nil
	}
	return Event{}, len(p), nil
}

// Release gives back what a connection that dies in the middle of a message holds. The Reader yields nothing more.
// It may be called at any time, any number of times.
func (r *Reader) Release() {
	r.drop()
	r.ended = true
}

func (r *Reader) config() *Config {
	if r.Config == nil {
		return &zeroConfig
	}
	return r.Config
}

func (r *Reader) drop() {
	if r.mid != nil {
		r.mid.recycle()
		r.mid = nil
	}
}

func (r *Reader) fail(p []byte, err error) (Event, int, error) {
	r.Release()
	return Event{}, len(p), err
}

// payload is the unmasked payload of a frame that is whole in p, behind its header. Its capacity ends with it, so
// that an append cannot reach the next frame.
func payload(h Header, p []byte) []byte {
	b := p[:h.Length:h.Length]
	Mask(h.Mask, 0, b) // the key of an unmasked frame is 0, which changes nothing
	return b
}

func (r *Reader) control(h Header, p []byte) (Event, error) {
	b := payload(h, p)
	if h.Op != Close {
		return Event{Op: h.Op, Data: b}, nil
	}
	code, reason, err := parseClose(b)
	if err != nil {
		return Event{}, err
	}
	r.Release()
	return Event{Op: Close, Code: code, Data: reason}, nil
}

// single is the common case: a message in one frame that is all there.
func (r *Reader) single(h Header, p []byte) (Event, error) {
	if h.Length > int64(r.config().maxMessage()) {
		return Event{}, errTooBig
	}
	b := payload(h, p)
	if h.Op == Text && !h.RSV1 && !utf8.Valid(b) {
		return Event{}, errText
	}
	return Event{Op: h.Op, Compressed: h.RSV1, Data: b}, nil
}

// begin enters a data frame whose payload is to be collected.
func (r *Reader) begin(h Header) error {
	switch {
	case h.Op == Continuation && r.mid == nil:
		return errNoStart
	case h.Op != Continuation && r.mid != nil:
		return errNotEnded
	case r.mid == nil:
		r.mid = newPartial(h)
	}
	return r.mid.enter(h, r.config().maxMessage())
}
