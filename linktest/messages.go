package linktest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/longwire/longwire"
)

// echoing answers each message with one Send, which always has room.
func echoing(t *testing.T) handlers {
	return handlers{asTheyCome: true, message: func(c *longwire.Conn, kind longwire.Kind, p []byte) {
		if err := c.Send(kind, p); err != nil {
			t.Errorf("an answer of %d bytes: %v", len(p), err)
		}
	}}
}

// A message is one that goes there and comes back.
type message struct {
	kind longwire.Kind
	p    []byte
}

// roundTrip sends messages and expects them back while it sends, because what
// the client does not read holds it back.
func (p *peer) roundTrip(ms []message) {
	p.t.Helper()
	sent := make(chan error, 1)
	go func() {
		for _, m := range ms {
			if err := p.send(m.kind, m.p); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i, m := range ms {
		if err := p.expect(m.kind, m.p); err != nil {
			p.Cut()
			p.t.Fatalf("message %d of %d: %v; sending: %v", i+1, len(ms), err, <-sent)
		}
	}
	if err := await(p.t, sent, "the end of sending"); err != nil {
		p.t.Fatalf("sending: %v", err)
	}
}

func (s *suite) echo(t *testing.T) {
	r := s.serve(t, echoing(t))
	sizes := []int{1, 2, 10, 125, 126, 127, 128, 1000, 4095, 4096, 4097, 16 << 10, 65535, 65536, 65537, 1 << 20, 3}
	if s.Posts { // a body says its length
		sizes = []int{1, 127, 4096, 65536, 1 << 20, 3}
	}
	for _, kind := range s.Kinds {
		p, _ := r.connect()
		var ms []message
		for i, size := range sizes {
			ms = append(ms, message{kind, s.payload(kind, size, uint64(i))})
		}
		p.roundTrip(ms)
	}
}

func (s *suite) empty(t *testing.T) {
	if s.NoEmpty || s.NoBoundaries {
		t.Skip("no empty messages")
	}
	p, _ := s.serve(t, echoing(t)).connect()
	var ms []message
	for _, kind := range s.Kinds {
		if kind != longwire.JSON {
			ms = append(ms, message{kind, nil}, message{kind, []byte("a")}, message{kind, nil}, message{kind, nil})
		}
	}
	p.roundTrip(ms)
}

// bytes is every byte that can be carried.
func (s *suite) bytes(t *testing.T) {
	r := s.serve(t, echoing(t))
	for _, kind := range s.Kinds {
		if kind != longwire.Binary {
			continue
		}
		p, _ := r.connect()
		var all []byte
		for b := range 256 {
			if !s.cannot(byte(b)) {
				all = append(all, byte(b))
			}
		}
		ms := []message{{kind, all}}
		for i, b := range all {
			if !s.Posts || i%16 == 0 {
				ms = append(ms, message{kind, []byte{b}})
			}
		}
		p.roundTrip(ms)
	}
}

// text is what text protocols stumble over.
func (s *suite) text(t *testing.T) {
	r := s.serve(t, echoing(t))
	for _, kind := range s.Kinds {
		if kind == longwire.JSON {
			p, _ := r.connect()
			p.roundTrip([]message{{kind, []byte(`{"a":[1,2.50,null,true,"\u00e9\n\"é😀"]}`)}, {kind, []byte(`0`)}, {kind, []byte(`[]`)}})
			continue
		}
		p, _ := r.connect()
		var ms []message
		for _, w := range []string{
			"x\n", "\nx", "a\nb", "\n\n", "a\n\nb\n\n", "x\r\n", "\r\nx", "a\rb", "\r", "\r\r\n\n", " a", "  ", "\t",
			"data: x", "id: 7\nevent: y", ":", "{", `"quoted"`, `\n`, "<b>&amp;", "\ufeffx", "é", "漢字", "😀",
			"a\u2028b\u2029c", "e\u0301", "\u200d", "\U0010ffff", "\x01\x1f\x7f",
		} {
			b := bytes.Map(func(r rune) rune {
				if r < 0x80 && s.cannot(byte(r)) {
					return -1
				}
				return r
			}, []byte(w))
			if len(b) > 0 {
				ms = append(ms, message{kind, b})
			}
		}
		p.roundTrip(ms)
	}
}

func (s *suite) pipelined(t *testing.T) {
	p, _ := s.serve(t, echoing(t)).connect()
	n := 2000
	if s.Posts {
		n = 100
	}
	var ms []message
	for i := range n {
		ms = append(ms, message{s.Kinds[i%len(s.Kinds)], s.payload(s.Kinds[i%len(s.Kinds)], 1+i%200, uint64(i))})
	}
	p.roundTrip(ms)
}

// push sends from many goroutines at once, none of which is a handler.
func (s *suite) push(t *testing.T) {
	const pushers, each = 8, 150
	p, l := s.serve(t, handlers{}).connect()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	for g := range pushers {
		wg.Go(func() {
			for i := range each {
				body := s.out(s.word(numbered(g, i)))
				var err error
				if i%3 == 0 {
					for err = longwire.ErrFull; err == longwire.ErrFull; {
						if err = l.SendMessage(longwire.NewMessage(s.Kinds[0], body)); err == longwire.ErrFull {
							err = l.SendWait(ctx, s.Kinds[0], body)
						}
					}
				} else {
					err = l.SendWait(ctx, s.Kinds[0], body)
				}
				if err != nil {
					t.Errorf("pusher %d, message %d: %v", g, i, err)
					p.Cut()
					return
				}
			}
		})
	}
	var next [pushers]int
	for range pushers * each {
		_, b, err := p.receive()
		if err != nil {
			t.Fatal(err)
		}
		var g, i int
		if _, err := fmt.Sscanf(s.unword(b), "%d %d ", &g, &i); err != nil || g < 0 || g >= pushers {
			t.Fatalf("received %.80q", b)
		}
		if want := s.word(numbered(g, i)); !bytes.Equal(b, want) || i != next[g] {
			t.Fatalf("pusher %d, message %d: received %.80q, want message %d intact", g, i, b, next[g])
		}
		next[g]++
	}
}

// numbered is message i of g, of a size of its own.
func numbered(g, i int) string {
	return fmt.Sprintf("%d %d %0*d", g, i, 1+i*i%3000, g)
}

// broadcast sends one Message to many links: framed once, and whole on each.
func (s *suite) broadcast(t *testing.T) {
	const links = 20
	r := s.serve(t, handlers{})
	var peers []*peer
	var lives []*life
	for range links {
		p, l := r.connect()
		peers, lives = append(peers, p), append(lives, l)
	}
	for i, size := range []int{10, 10_000} {
		p := s.payload(s.Kinds[0], size, uint64(i))
		m := longwire.NewMessage(s.Kinds[0], s.out(p))
		var before int64
		if s.Framed != nil {
			before = s.Framed()
		}
		for _, l := range lives {
			if err := l.SendMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		for _, peer := range peers {
			peer.wantMessage(s.Kinds[0], p)
		}
		if s.Framed == nil {
			continue
		}
		// Other tests frame at the same time only if they share the way's
		// framing, so a way that counts serves each with one of its own.
		if n := s.Framed() - before; n != 1 {
			t.Errorf("a message to %d links was framed %d times", links, n)
		}
	}
}

// RunTogether sends one Message to links of all the ways at once.
func RunTogether(t *testing.T, ways ...Way) {
	for _, st := range settings {
		t.Run(st.name, func(t *testing.T) {
			engine := newEngine(t, st.goroutines)
			var peers []*peer
			var lives []*life
			for _, w := range ways {
				s := &suite{Way: w, setting: st, engine: engine}
				r := s.serve(t, handlers{})
				for range 3 {
					p, l := r.connect()
					peers, lives = append(peers, p), append(lives, l)
				}
			}
			for i := range 20 {
				m := longwire.NewMessage(longwire.Text, fmt.Appendf(nil, "%d %0*d", i, 1+i*i*10, i))
				for _, l := range lives {
					data := m
					if l.rig.s.NoBoundaries {
						data = longwire.NewMessage(longwire.Text, l.rig.s.out(m.Data()))
					}
					if err := l.SendMessage(data); err != nil {
						t.Errorf("%s: %v", l.rig.s.Name, err)
					}
				}
				for _, p := range peers {
					if _, got, err := p.receive(); err != nil || !bytes.Equal(got, m.Data()) {
						t.Errorf("%s: message %d: received %.80q, %v", p.s.Name, i, got, err)
					}
				}
			}
		})
	}
}
