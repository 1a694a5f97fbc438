package loop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// xor is a layer as simple as one can be: it changes each byte, a byte that
// becomes 0 is its goodbye, and one that becomes '?' makes it answer a 1 KiB
// record, as a TLS peer that asks for key updates does.
type xor struct {
	s     *Sock
	fed   []byte // the socket's memory, until Keep
	ended bool
}

const key = 0x55

func mask(p []byte) []byte {
	b := bytes.Clone(p)
	for i := range b {
		b[i] ^= key
	}
	return b
}

func (x *xor) Feed(p []byte) { x.fed = append(x.fed[:len(x.fed):len(x.fed)], p...) }
func (x *xor) Keep()         { x.fed = bytes.Clone(x.fed) }
func (x *xor) CloseWrite()   { x.s.Raw([]byte{key}) }

func (x *xor) Write(p []byte) error {
	if len(p) > pieceBytes {
		return errors.New("a piece is too long")
	}
	x.s.Raw(mask(p))
	return nil
}

func (x *xor) Read(p []byte) (n int, err error) {
	for n < len(p) && len(x.fed) > 0 && n < 1000 && !x.ended { // a record at a time
		b := x.fed[0] ^ key
		x.fed = x.fed[1:]
		switch b {
		case 0:
			x.ended = true
		case '?':
			x.s.Raw(make([]byte, 1<<10))
		default:
			p[n] = b
			n++
		}
	}
	switch {
	case n > 0:
		return n, nil
	case x.ended:
		return 0, io.EOF
	}
	return 0, ErrAgain
}

func (w *world) serveLayer(h *hooks) net.Conn {
	w.Helper()
	client, server := w.pair()
	w.Cleanup(func() { client.Close() })
	h.closed = make(chan error, 1)
	w.g.Adopt(server, nil, func(_ time.Time, s *Sock) Handler {
		h.s = s
		s.SetLayer(&xor{s: s})
		return h
	})
	return client
}

// letters is like pattern without the bytes that mean something to the layer.
func letters(n int) []byte {
	b := pattern(n)
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return b
}

// TestLayer echoes through a layer, with pauses and moves while the layer
// holds bytes that no event will tell of.
func TestLayer(t *testing.T) {
	forEachPoller(t, 2, func(w *world) {
		h := &hooks{}
		resume := &Timer{Owner: fireFunc(func(time.Time) { h.s.SetRead(true) })}
		reads := 0
		h.read = func(p []byte) int {
			h.s.Write(p)
			switch reads++; {
			case !h.s.Room(1):
				h.s.SetRead(false)
			case reads%50 == 0:
				h.s.SetRead(false)
				h.s.Loop().After(tick, resume)
			case reads%7 == 0:
				h.s.Move(w.g.loops[reads%2], func(time.Time) {})
			}
			return len(p)
		}
		h.drained = func() { h.s.SetRead(true) }
		c := w.serveLayer(h)
		want := letters(512 << 10)
		go func() {
			c.Write(mask(want))
			c.Write([]byte{key})
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(mask(got), append(want, 0)) {
			w.Errorf("%d bytes came back, %v; want %d and a goodbye", len(got), err, len(want))
		}
		c.Close()
		w.wantClosed(h, io.EOF)
	})
}

// TestLayerCut ends the connection without the layer's goodbye.
func TestLayerCut(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		h := &hooks{end: func([]byte) { w.Error("a cut was told as an end") }}
		c := w.serveLayer(h)
		c.Write(mask([]byte("half a mess")))
		closeWrite(c)
		w.wantClosed(h, errCut)
	})
}

// TestLayerFlooded has a peer provoke answers that it does not read.
func TestLayerFlooded(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		h := &hooks{}
		c := w.serveLayer(h)
		go func() {
			for ask := mask(bytes.Repeat([]byte("?"), 64)); ; {
				if _, err := c.Write(ask); err != nil {
					return
				}
			}
		}()
		w.wantClosed(h, ErrFlooded)
	})
}
