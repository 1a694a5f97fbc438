package longwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

// A rig is a node with all its doors on a network in memory, in virtual time.
type rig struct {
	t    *testing.T
	node *longwire.Node
	ways.Server
	http *http.Client
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// newRig must be called inside a bubble.
func newRig(t *testing.T, o longwire.Options) *rig {
	t.Helper()
	engine, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 2, Goroutines: true, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	o.Engine = engine
	if o.Log == nil {
		o.Log = quiet
	}
	n, err := longwire.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	lines, pages := memnet.Listen("127.0.0.1:8888"), memnet.Listen("127.0.0.1:8080")
	srv := tcp.Session(n)
	web := &http.Server{Handler: n.Handler(ws.Way, stream.Way), ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelDebug)}
	served := make(chan error, 2)
	go func() { served <- srv.Serve(lines) }()
	go func() { served <- web.Serve(longwire.WrapListener(pages)) }()
	r := &rig{t: t, node: n, Server: ways.Server{TCP: lines.Dial, HTTP: pages.Dial}}
	r.http = r.HTTPClient()
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := n.Drain(ctx); err != nil {
			t.Error("Drain:", err)
		}
		srv.Close()
		if err := engine.Close(ctx); err != nil {
			t.Error("Engine.Close:", err)
		}
		web.Close()
		<-served
		<-served
		if err := n.Close(ctx); err != nil {
			t.Error("Node.Close:", err)
		}
	})
	return r
}

// everyWay runs one body over every way into a session, each in a bubble.
func everyWay(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, w ways.Way)) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { body(t, newRig(t, o), w) })
		})
	}
}

// A peer is a client with what it has heard.
type peer struct {
	t   testing.TB
	r   *rig
	way ways.Way
	ways.Client
	session, secret string
	hears           chan string // closed at the end
	end             error       // after that
	id              int
}

func (r *rig) dial(w ways.Way, o ways.Options) *peer {
	r.t.Helper()
	p, err := r.tryDial(w, o)
	if err != nil {
		r.t.Fatalf("%s: %v", w.Name, err)
	}
	if !o.Silent {
		p.connected()
	}
	return p
}

func (r *rig) tryDial(w ways.Way, o ways.Options) (*peer, error) {
	c, err := w.Open(r.t, &r.Server, &o)
	if err != nil {
		return nil, err
	}
	p := &peer{t: r.t, r: r, way: w, Client: c, hears: make(chan string, 10_000), id: 1}
	go p.listen()
	return p, nil
}

// read opens a way that reads only.
func (r *rig) read(path, query, accept, lastID string) *peer {
	r.t.Helper()
	c, err := ways.Read(r.t, &r.Server, path, query, accept, lastID)
	if err != nil {
		r.t.Fatal(err)
	}
	p := &peer{t: r.t, r: r, Client: c, hears: make(chan string, 10_000)}
	go p.listen()
	return p
}

func (p *peer) listen() {
	for {
		f, err := p.Receive()
		if err != nil {
			p.end = err
			close(p.hears)
			return
		}
		p.hears <- f
	}
}

type frame struct {
	Op, Channel, Position, Sub, Type, Code, Message, From, After string
	Session, Secret, Method                                     string
	ID                                                          uint64
	Data                                                        json.RawMessage
	Data64                                                      []byte
	Gap                                                         bool
	Retry                                                       int
	Headers                                                     map[string]string
	Limits                                                      map[string]int
	Publications                                                []frame
	Subscriptions                                               []struct {
		Channel, Position string
		Gap               bool
		Error             *struct{ Code string }
	}
}

// next returns the next frame that is no ping.
func (p *peer) next() frame {
	p.t.Helper()
	for {
		f, ok := p.tryNext()
		if !ok {
			p.t.Fatalf("%s: nothing more was heard: %v", p.way.Name, p.end)
		}
		if f.Op != "ping" {
			return f
		}
	}
}

// tryNext returns the next frame, or that there is none within a minute.
func (p *peer) tryNext() (f frame, ok bool) {
	p.t.Helper()
	select {
	case s, ok := <-p.hears:
		if !ok {
			return f, false
		}
		if err := json.Unmarshal([]byte(s), &f); err != nil {
			p.t.Fatalf("%s: a frame that is none: %q: %v", p.way.Name, s, err)
		}
		return f, true
	case <-time.After(time.Minute):
		return f, false
	}
}

func (p *peer) connected() frame {
	p.t.Helper()
	f := p.want("connected")
	if len(f.Session) != 22 || len(f.Secret) != 22 {
		p.t.Errorf("connected without credentials: %+v", f)
	}
	p.session, p.secret = f.Session, f.Secret
	return f
}

func (p *peer) want(op string) frame {
	p.t.Helper()
	f := p.next()
	if f.Op != op {
		p.t.Fatalf("%s: heard %+v, want %s", p.way.Name, f, op)
	}
	return f
}

// ask sends a frame with an id of its own and returns the answer to it.
func (p *peer) ask(format string, args ...any) frame {
	p.t.Helper()
	p.id++
	p.say(`{"id":%d,`+strings.TrimPrefix(format, "{"), append([]any{p.id}, args...)...)
	f := p.next()
	if f.ID != uint64(p.id) {
		p.t.Fatalf("%s: heard %+v, want the answer to %d", p.way.Name, f, p.id)
	}
	return f
}

func (p *peer) reply(format string, args ...any) frame {
	p.t.Helper()
	f := p.ask(format, args...)
	if f.Op != "reply" {
		p.t.Fatalf("%s: %s was answered %+v", p.way.Name, fmt.Sprintf(format, args...), f)
	}
	return f
}

func (p *peer) refused(code wire.Code, format string, args ...any) {
	p.t.Helper()
	f := p.ask(format, args...)
	if f.Op != "error" || f.Code != string(code) || f.Message == "" {
		p.t.Fatalf("%s: %s was answered %+v, want the error %s", p.way.Name, fmt.Sprintf(format, args...), f, code)
	}
}

func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	if err := p.Send(fmt.Sprintf(format, args...)); err != nil {
		p.t.Fatalf("%s: sending %s: %v", p.way.Name, fmt.Sprintf(format, args...), err)
	}
}

// message wants a message with the given data, as it stands in JSON.
func (p *peer) message(channel, data string) frame {
	p.t.Helper()
	f := p.want("message")
	if f.Channel != channel || string(f.Data) != data {
		p.t.Fatalf("%s: heard %s on %s, want %s on %s", p.way.Name, f.Data, f.Channel, data, channel)
	}
	return f
}

// silent wants nothing but pings for a while.
func (p *peer) silent() {
	p.t.Helper()
	for end := time.After(40 * time.Second); ; {
		select {
		case s, ok := <-p.hears:
			if !ok {
				p.t.Fatalf("%s: the link ended: %v", p.way.Name, p.end)
			}
			if !strings.HasPrefix(s, `{"op":"ping"`) {
				p.t.Fatalf("%s: heard %s, want silence", p.way.Name, s)
			}
		case <-end:
			return
		}
	}
}

// ended wants the link to end with a code, and nothing before that.
func (p *peer) ended(code wire.Code) {
	p.t.Helper()
	if f, ok := p.tryNext(); ok {
		p.t.Fatalf("%s: heard %+v, want the end", p.way.Name, f)
	}
	if e, ok := p.end.(*ways.End); !ok || e.Code != code {
		p.t.Fatalf("%s: ended with %v, want %s", p.way.Name, p.end, code)
	}
}

// publish publishes text as a program does.
func (r *rig) publish(channel, text string) longwire.Position {
	r.t.Helper()
	at, err := r.node.Publish(r.t.Context(), channel, []byte(text), &longwire.PublishOptions{Kind: longwire.Text})
	if err != nil {
		r.t.Fatal(err)
	}
	return at
}

