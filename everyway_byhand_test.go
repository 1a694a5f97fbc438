package longwire_test

import (
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// finish says that nothing more will be sent, as printf … | nc does.
func (p *peer) finish() {
	p.t.Helper()
	if err := p.Client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		p.fatal("closing one side: %v", err)
	}
}

// TestPipedIn has a TCP peer finish writing before it has heard anything.
func TestPipedIn(t *testing.T) {
	o := longwire.Options{Open: true, Handler: longwire.Handler{Call: answering(t)}}
	for _, tt := range []struct {
		name   string
		frames []string
		ids    []uint64 // of the answers, after which the link ends
	}{
		{"publish", []string{`{"op":"publish","id":2,"channel":"y","data":1}`}, []uint64{2}},
		{"call", []string{`{"op":"call","id":2,"method":"later","data":3000000000}`}, []uint64{2}},
		{"blocking call", []string{`{"op":"call","id":2,"method":"block","data":1}`, `{"op":"ping","id":3}`}, []uint64{2, 3}},
		{"history", []string{`{"op":"history","id":2,"channel":"y"}`}, []uint64{2}},
		{"bad", []string{`{"op":"dance","id":2}`}, []uint64{2}},
		{"gone again", []string{`{"op":"subscribe","id":2,"channel":"y","since":"all"}`, `{"op":"unsubscribe","id":3,"channel":"y"}`}, []uint64{2, 3}},
		{"connect", []string{`{"op":"connect","id":2}`}, []uint64{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, o, func(t *testing.T, r *rig) {
				p := r.dial(way("tcp"), ways.Options{Silent: true})
				for _, f := range tt.frames {
					p.say("%s", f)
				}
				p.finish()
				for _, id := range tt.ids {
					if f := p.next(); f.ID != id {
						p.fatal("heard %v, want the answer to %d", f, id)
					}
				}
				p.ended(wire.CodeNormal)
			})
		})
	}
}

// TestPipedInSubscriber goes on hearing after it has finished writing, until it is gone.
func TestPipedInSubscriber(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		p := r.dial(way("tcp"), ways.Options{Silent: true, Mute: true})
		p.say(`{"op":"subscribe","id":2,"channel":"x"}`)
		p.finish()
		p.want("reply")
		for i := range 5 {
			time.Sleep(time.Minute)
			r.numbers("x", i, i)
			p.numbers("x", i, i)
		}
		p.Cut()
		for range 2 { // one finds out, the other tells
			r.publish("x", "is there anybody?")
			time.Sleep(time.Second)
		}
		if n := r.subscribers("x"); n != "0" {
			t.Errorf("%s subscribers after the end", n)
		}
	})
}

// TestLastLine lacks its end.
func TestLastLine(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		c, err := r.TCP(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("\r\n\n" + `{"op":"ping","id":1}` + "\r\n" + `{"op":"ping","id":2}`)); err != nil {
			t.Fatal(err)
		}
		c.(interface{ CloseWrite() error }).CloseWrite()
		got := make([]byte, 4096)
		n := 0
		for {
			k, err := c.Read(got[n:])
			if n += k; err != nil {
				break
			}
		}
		want := `{"op":"pong","id":1}` + "\n" + `{"op":"pong","id":2}` + "\n" + `{"op":"close","code":"normal"`
		if len(got[:n]) < len(want) || string(got[:len(want)]) != want {
			t.Errorf("heard %q", got[:n])
		}
	})
}
