package loop

import (
	"errors"
	"io"
)

// ErrAgain is what a [Layer] returns from Read when it needs more bytes from
// the socket first.
var ErrAgain = errors.New("loop: nothing there yet")

var errAgain = ErrAgain

// maxWireBytes bounds what a layer may have waiting beneath it. A layer
// answers some of what it reads (TLS key updates and alerts); a peer that
// provokes answers and does not read them ends here.
const maxWireBytes = 64 << 10

// pieceBytes is what is handed to a layer at once: a TLS record's worth.
const pieceBytes = 16 << 10

// A Layer lies between a socket and its handler and changes the bytes both
// ways: TLS. All of it runs on the socket's loop. What it wants to send goes
// to [Sock.Raw].
type Layer interface {
	// Feed gives bytes from the socket; they are valid until Read has returned ErrAgain,
	// or the layer copies them when Keep is called.
	Feed(p []byte)
	// Keep tells that reading stops before all that was fed is used up.
	Keep()
	// Read gives bytes for the handler, or ErrAgain, or io.EOF after an orderly
	// end, or what broke.
	Read(p []byte) (int, error)
	// Write takes bytes from the handler. It is only called while nothing of
	// the layer's waits to be written.
	Write(p []byte) error
	// CloseWrite says goodbye in the layer's way.
	CloseWrite()
}

// SetLayer puts a layer on the socket. It is called in the adoption's open,
// before the first read.
func (s *Sock) SetLayer(l Layer) {
	s.more().layer = l
	s.queueRead() // the layer may hold bytes already; no event will tell
}

// readLayer is readSocket for a socket with a layer: first what the layer has,
// then what the socket has.
func (s *Sock) readLayer() {
	x := s.ext
	const stop = fGone | fClosing | fPaused | fLeaving
	for fed := false; s.flags&stop == 0; {
		buf, off := s.space(s.loop.rbuf[:readBufBytes/2])
		n, err := x.layer.Read(buf[off:])
		if n > 0 {
			s.deliver(buf[:off+n], off > 0)
			continue
		}
		s.putIn(buf[:off])
		if !errors.Is(err, ErrAgain) {
			s.readEnd(err)
			return
		}
		if x.wire != nil && x.wire.n > maxWireBytes {
			s.cut(ErrFlooded)
			return
		}
		if fed || s.flags&(fReadable|fHup) == 0 {
			return
		}
		raw := s.loop.rbuf[readBufBytes/2:]
		if s.flags&fLittle != 0 {
			raw = raw[:MaxUntaken]
		}
		if n, err = s.recv(raw); err != nil || n == 0 {
			s.readRawEnd(err)
			return
		}
		fed = true
		if n == len(raw) || s.flags&fHup != 0 {
			s.queueRead()
		} else {
			s.flags &^= fReadable
		}
		x.layer.Feed(raw[:n])
	}
	if s.flags&(fGone|fClosing) == 0 {
		// Stopped before "nothing there". No event will come for what the layer
		// holds, but whoever lets reading go on puts the socket on the ready list.
		x.layer.Keep()
	}
}

// readRawEnd is readEnd beneath a layer: an end of the socket that the layer
// did not announce is a cut, lest an attacker shorten what the peer said.
func (s *Sock) readRawEnd(err error) {
	if err == nil || errors.Is(err, io.EOF) {
		s.cut(errCut)
		return
	}
	s.readEnd(err)
}

var errCut = errors.New("loop: the connection was cut before TLS said that it ends")

// flushLayer writes a layered socket and reports whether all of it went.
func (s *Sock) flushLayer() bool {
	s.flags |= fFlushing
	defer func() { s.flags &^= fFlushing }()
	x := s.ext
	for {
		if x.wire != nil && x.wire.n > 0 && !s.push(x.wire) {
			if s.flags&fGone == 0 && x.wire.n > maxWireBytes {
				s.cut(ErrFlooded)
			}
			return false
		}
		if s.out == nil || s.out.n == 0 || x.layer == nil {
			break
		}
		piece := s.joined(s.out, pieceBytes)
		if err := x.layer.Write(piece); err != nil {
			s.cut(err)
			return false
		}
		s.out.wrote(&s.loop.bufs, len(piece))
	}
	if x.wire != nil {
		s.loop.bufs.freeQueue(x.wire)
		x.wire = nil
	}
	return true
}

// joined returns the first bytes of q, at most n, in one piece.
func (s *Sock) joined(q *queue, n int) []byte {
	if first := q.segs[q.head].b; len(first) >= n || len(first) == q.n {
		return first[:min(n, len(first))]
	}
	if s.loop.piece == nil {
		s.loop.piece = make([]byte, 0, pieceBytes)
	}
	b := s.loop.piece[:0]
	for _, sg := range q.segs[q.head:] {
		b = append(b, sg.b[:min(len(sg.b), n-len(b))]...)
		if len(b) == n {
			break
		}
	}
	return b
}
