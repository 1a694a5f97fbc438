package longwire_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// byToken takes whoever has a token, which is the user's name.
func byToken(_ context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
	if r.Token == "" {
		return nil, &wire.Error{Code: wire.CodeUnauthorized}
	}
	return &longwire.Peer{User: r.Token}, nil
}

func TestTokens(t *testing.T) {
	o := longwire.Options{Handler: longwire.Handler{Connect: func(ctx context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
		if r.Link == nil || r.Link.Transport == "" {
			t.Errorf("asked about %+v", r)
		}
		p, err := byToken(ctx, r)
		if p != nil {
			p.Tag = r.Link.Transport
		}
		return p, err
	}}}
	secureToo(t, o, func(t *testing.T, r *rig, w ways.Way) {
		asks := []ways.Options{{Token: "eve"}}
		if w.Name != "tcp" && w.Name != "tcp+tls" {
			asks = append(asks, ways.Options{Bearer: "eve"})
		}
		if w.Name == "poll" {
			asks = append(asks, ways.Options{Bearer: "eve", Silent: true})
		}
		for _, ask := range asks {
			p, err := r.tryDial(w, ask)
			if err != nil {
				t.Fatal(err)
			}
			p.connected()
			if who := r.node.Session(p.session).Peer(); who.User != "eve" || who.Tag == "" {
				t.Errorf("with %+v it is %+v", ask, who)
			}
		}
	})
}

func TestConnectRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		hook func() error
		code wire.Code
		text string
	}{
		{"with a code", func() error { return wire.Errorf(wire.CodeUnauthorized, "show your ticket") }, wire.CodeUnauthorized, "show your ticket"},
		{"for a while", func() error { return &wire.Error{Code: wire.CodeOverloaded, Retry: 7 * time.Second} }, wire.CodeOverloaded, ""},
		{"foreign error", func() error { return errors.New("secret text") }, wire.CodeForbidden, ""},
		{"panic", func() error { panic("secret text") }, wire.CodeHandlerPanic, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var left atomic.Int32
			o := longwire.Options{Handler: longwire.Handler{
				Connect: func(context.Context, *longwire.ConnectRequest) (*longwire.Peer, error) {
					time.Sleep(time.Second)
					return nil, tt.hook()
				},
				Disconnect: func(context.Context, *longwire.DisconnectEvent) { left.Add(1) },
			}}
			everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
				text := tt.text
				if text == "" {
					text = tt.code.Info().Message
				}
				p, err := r.tryDial(w, ways.Options{})
				switch {
				case w.Name == "poll":
					e, _ := errors.AsType[*wire.Error](err)
					if e == nil || e.Code != tt.code {
						t.Errorf("POST /connect was answered %v, want %s", err, tt.code)
					}
				case err != nil:
					t.Fatal(err)
				case !w.ByToken:
					f := p.want("error")
					p.isRefusal(f, tt.code)
					if f.ID != 1 || f.Message != text {
						t.Errorf("heard %v, want %q", f, text)
					}
					fallthrough
				default:
					if e := p.ended(tt.code); e.Reason != text {
						t.Errorf("ended with %v, want %q", e, text)
					}
				}
				if n := left.Load(); n != 0 {
					t.Errorf("Disconnect heard of %d sessions that did not begin", n)
				}
			})
		})
	}
}

// TestSlowConnect sends frames while the hook still thinks about the connect before them.
func TestSlowConnect(t *testing.T) {
	o := longwire.Options{Open: true, Handler: longwire.Handler{Connect: func(ctx context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
		time.Sleep(3 * time.Second)
		return byToken(ctx, r)
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		begun := time.Now()
		frames := []string{
			`{"op":"subscribe","id":11,"channel":"a"}`, `{"op":"publish","id":12,"channel":"a","data":1}`, `{"op":"dance","id":13}`,
			`{"op":"publish","id":14,"channel":"a","data":2}`, `{"op":"unsubscribe","id":15,"channel":"a"}`,
		}
		var first strings.Builder
		first.WriteString(`{"op":"connect","id":1,"token":"eve"}`)
		var p *peer
		switch {
		case w.ByToken:
			p = r.dial(w, ways.Options{Token: "eve"})
		case w.Posts:
			for _, f := range frames {
				first.WriteString("\n" + f)
			}
			p = r.dial(w, ways.Options{First: first.String()})
		default:
			p = r.dial(w, ways.Options{First: first.String()})
			for _, f := range frames {
				p.say("%s", f)
			}
		}
		if w.ByToken {
			for _, f := range frames {
				p.say("%s", f)
			}
		} else {
			p.connected()
		}
		if d := time.Since(begun); d < 3*time.Second || d > 4*time.Second {
			t.Errorf("connected after %v", d)
		}
		for i := range frames {
			f := p.next()
			for f.Op == "message" { // before the reply or behind it, or no more
				f = p.next()
			}
			if f.ID != uint64(11+i) {
				p.fatal("heard %v, want the answer to %d", f, 11+i)
			}
		}
	})
}

// TestLostWhileAsked cuts links whose Connect hook is still thinking.
func TestLostWhileAsked(t *testing.T) {
	var asked, left atomic.Int32
	o := longwire.Options{Handler: longwire.Handler{
		Connect: func(context.Context, *longwire.ConnectRequest) (*longwire.Peer, error) {
			asked.Add(1)
			time.Sleep(3 * time.Second)
			return nil, nil
		},
		Disconnect: func(context.Context, *longwire.DisconnectEvent) { left.Add(1) },
	}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		if w.Name == "poll" {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if a, err := r.tryDo(ctx, "POST", "/connect", ""); err == nil {
				t.Errorf("answered %+v", a)
			}
		} else {
			p, err := r.tryDial(w, ways.Options{})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			p.Cut()
		}
		time.Sleep(time.Minute)
		if a, l := asked.Swap(0), left.Load(); a != 1 || l != 0 {
			t.Errorf("asked %d times, Disconnect heard of %d", a, l)
		}
	})
}
