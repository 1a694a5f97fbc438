package longwire_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// TestBadFrames are answered by the same error on every way, with their id where it
// can be read; the session goes on, and nobody else hears of it.
func TestBadFrames(t *testing.T) {
	brackets := func(n int) string {
		return `{"op":"publish","id":7,"channel":"x","data":` + strings.Repeat("[", n)
	}
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		other, p := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		other.reply(`{"op":"subscribe","channel":">"}`)
		for _, tt := range []struct {
			frame string
			code  wire.Code
			id    uint64
		}{
			{`x`, wire.CodeBadFrame, 0},
			{`{`, wire.CodeBadFrame, 0},
			{`[]`, wire.CodeBadFrame, 0},
			{`"op"`, wire.CodeBadFrame, 0},
			{`null`, wire.CodeBadFrame, 0},
			{`{}`, wire.CodeBadFrame, 0},
			{`{"id":7}`, wire.CodeBadFrame, 7},
			{`{"id":7,"op":}`, wire.CodeBadFrame, 7},
			{`{"id":7,"op":"ping"}}`, wire.CodeBadFrame, 7},
			{`{"id":7,"op":"ping"}{"id":8,"op":"ping"}`, wire.CodeBadFrame, 7},
			{`{"id":7,"op":"ping",}`, wire.CodeBadFrame, 7},
			{`{'id':7}`, wire.CodeBadFrame, 0},
			{`{"op":"dance","id":7}`, wire.CodeUnknownOp, 7},
			{`{"op":"","id":7}`, wire.CodeUnknownOp, 7},
			{`{"op":"PING","id":7}`, wire.CodeUnknownOp, 7},
			{`{"op":7,"id":7}`, wire.CodeBadFrame, 7},
			{`{"op":"connected","id":7}`, wire.CodeUnknownOp, 7},
			{`{"op":"message","id":7,"channel":"x","data":1}`, wire.CodeUnknownOp, 7},
			{`{"op":"ping","op":"ping","id":7}`, wire.CodeBadFrame, 7},
			{`{"op":"ping","id":7,"id":8}`, wire.CodeBadFrame, 0},
			{`{"op":"subscribe","id":7,"channel":"x","channel":"y"}`, wire.CodeBadFrame, 7},
			{`{"op":"subscribe","id":7,"channel":"x","ch\u0061nnel":"y"}`, wire.CodeBadFrame, 7},
			{`{"op":"publish","id":7,"channel":"x","data":1,"data":2}`, wire.CodeBadFrame, 7},
			{`{"op":"ping","id":0}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":-1}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":1.5}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":1e3}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":"7"}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":9007199254740992}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":18446744073709551623}`, wire.CodeBadFrame, 0},
			{`{"op":"subscribe","id":7}`, wire.CodeBadFrame, 7},
			{`{"op":"subscribe","id":7,"channel":["x"]}`, wire.CodeBadFrame, 7},
			{brackets(1000) + strings.Repeat("]", 1000) + "}", wire.CodeBadFrame, 7},
			{brackets(1 << 20), wire.CodeBadFrame, 7},
			{strings.Repeat("[", 1<<17), wire.CodeBadFrame, 0},
			{strings.Repeat(`{"a":`, 1<<15), wire.CodeBadFrame, 0},
		} {
			p.say("%s", tt.frame)
			f := p.next()
			if f.Op != "error" || f.Code != string(tt.code) || f.ID != tt.id || f.Message == "" || len(f.Message) > 400 {
				p.fatal("%.100s was answered %v, want the error %s with id %d", tt.frame, f, tt.code, tt.id)
			}
		}
		p.say(`{"op":"ping","id":9007199254740991,"future":{"op":1},"future":2}`)
		if f := p.want("pong"); f.ID != wire.MaxID {
			p.fatal("heard %v", f)
		}
		r.publish("x", "1")
		other.message("x", `"1"`)
		p.silent()
	})
}

// TestNotUTF8 is refused; on a WebSocket it ends the link (RFC 6455, section 8.1).
func TestNotUTF8(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.say("{\"op\":\"publish\",\"id\":7,\"channel\":\"x\",\"data\":\"\xff\"}")
		if w.Name == "ws" {
			p.ended(wire.CodeBadUTF8)
			return
		}
		f := p.next()
		p.isRefusal(f, wire.CodeBadUTF8)
		p.reply(`{"op":"subscribe","channel":"x"}`)
	})
}

func TestFlood(t *testing.T) {
	o := longwire.Options{Open: true, Rate: 20}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		other, p := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		other.reply(`{"op":"subscribe","channel":"x"}`)
		time.Sleep(2 * time.Second)
		for i := range 50 {
			p.say(`{"op":"ping","id":%d}`, 1+i)
		}
		for i := range 50 {
			f := p.next()
			if f.ID != uint64(1+i) || (f.Op == "pong") != (i < 20) {
				p.fatal("frame %d was answered %v", i, f)
			}
			if f.Op != "pong" {
				if p.isRefusal(f, wire.CodeRateLimited); f.Retry < 1 || f.Retry > 1000 {
					p.fatal("come again in %d ms", f.Retry)
				}
			}
		}
		other.reply(`{"op":"publish","channel":"x","data":1}`)
		other.message("x", "1")
		time.Sleep(time.Second / 2) // as many come back
		for i := range 12 {
			p.say(`{"op":"ping","id":%d}`, 1+i)
		}
		for i := range 12 {
			if f := p.next(); (f.Op == "pong") != (i < 10) {
				p.fatal("half a second later frame %d was answered %v", i, f)
			}
		}
		// What cannot be understood counts too, and is refused with its id.
		p.say(`{"id":7,"op":`)
		p.isRefusal(p.next(), wire.CodeRateLimited)
	})
}

// TestFloodKeepsOrder has what is over the rate wait for answers to what was not.
func TestFloodKeepsOrder(t *testing.T) {
	slow := longwire.Options{Open: true, Rate: 5, Handler: longwire.Handler{
		Subscribe: func(context.Context, *longwire.Session, string) error {
			time.Sleep(2 * time.Second)
			return nil
		},
	}}
	late := func(time.Duration) time.Duration { return 2 * time.Second }
	never := func() bool { return false }
	for _, tt := range []struct {
		first  string
		broker bool // acknowledges late
	}{
		{`"op":"subscribe","channel":"x"`, false},
		{`"op":"publish","channel":"x","data":1`, true},
	} {
		for _, w := range ways.All() {
			t.Run(tt.first+" "+w.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := slow
					if tt.broker {
						o.Broker = newModelBroker(nil, late, never)
					}
					p := newRig(t, o).dial(w, ways.Options{})
					time.Sleep(2 * time.Second)
					p.say(`{"id":1,%s}`, tt.first)
					for i := range 9 {
						p.say(`{"op":"ping","id":%d}`, 2+i)
					}
					for i := range 10 {
						f := p.next()
						if f.ID != uint64(1+i) || (f.Op == "error") != (i >= 5) {
							p.fatal("frame %d was answered %v", 1+i, f)
						}
						if f.Op == "error" {
							p.isRefusal(f, wire.CodeRateLimited)
						}
					}
				})
			})
		}
	}
}

// TestFrameOverLimit ends a link that has no other way to go on; a POST is refused.
func TestFrameOverLimit(t *testing.T) {
	o := longwire.Options{Open: true, MaxMessage: 1000}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		other, p := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		at := other.reply(`{"op":"subscribe","channel":"x"}`).Position
		p.reply(`{"op":"subscribe","channel":"x"}`)
		frame := func(n int) string {
			const begin, end = `{"op":"ping","id":7,"pad":"`, `"}`
			return begin + strings.Repeat("x", n-len(begin)-len(end)) + end
		}
		most := wire.MaxFrame(1000)
		p.say("%s", frame(most-1)) // a POST ends it with a line end
		p.want("pong")
		err := p.Send(frame(most + 1))
		if w.Posts {
			if wire.CodeOf(err) != wire.CodeTooLarge {
				t.Errorf("answered %v", err)
			}
			p.reply(`{"op":"unsubscribe","channel":"x"}`)
		} else {
			p.ended(wire.CodeTooLarge)
			r.publish("x", "1")
			n, _ := p.again(w, at, "x") // the session is well
			n.message("x", `"1"`)
		}
		r.publish("x", "2")
		for f := other.want("message"); string(f.Data) != `"2"`; f = other.want("message") {
			continue
		}
	})
}

// TestBinaryFrame is the binary form of the protocol, which is not spoken yet.
func TestBinaryFrame(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		if w.Name != "ws" {
			return
		}
		p := r.dial(w, ways.Options{})
		if err := p.Client.(interface{ SendBinary([]byte) error }).SendBinary([]byte(`{"op":"ping","id":7}`)); err != nil {
			t.Fatal(err)
		}
		p.isRefusal(p.next(), wire.CodeUnsupportedData)
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.say(`{"op":"history","id":50,"channel":"x"}`)
		if err := p.Client.(interface{ SendBinary([]byte) error }).SendBinary([]byte{0xff}); err != nil {
			t.Fatal(err)
		}
		if f := p.next(); f.ID != 50 {
			p.fatal("heard %v, want the answer to 50", f)
		}
		p.isRefusal(p.next(), wire.CodeUnsupportedData)
	})
}

// TestLongList connects with more subscriptions than a session may have.
func TestLongList(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		if w.ByToken {
			return
		}
		list := func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `,{"channel":"c%d"}`, i)
			}
			return "[" + b.String()[1:] + "]"
		}
		p := r.dial(w, ways.Options{Subscribe: list(1024)})
		r.publish("c1023", "1")
		p.message("c1023", `"1"`)
		p, err := r.tryDial(w, ways.Options{Subscribe: list(50_000)})
		if w.Posts {
			if wire.CodeOf(err) != wire.CodeForbidden {
				t.Errorf("answered %v", err)
			}
			return
		}
		p.isRefusal(p.want("error"), wire.CodeForbidden)
		p.ended(wire.CodeForbidden)
	})
}
