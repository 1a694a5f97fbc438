package longwire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A peer is a client with what it has heard. Its methods are for the test's goroutine.
type peer struct {
	t   testing.TB
	r   *rig
	way ways.Way
	ways.Client
	session, secret string
	hears           chan string   // closed at the end
	end             error         // after that
	turn            chan struct{} // has one in it while the peer reads
	gone            chan struct{} // closed when the test is over
	id              int
	early           []frame  // messages that came while an answer was waited for
	heard           []string // all frames, for what a failure says
}

// meet makes a peer of a client.
func (r *rig) meet(w ways.Way, c ways.Client) *peer {
	p := &peer{
		t: r.t, r: r, way: w, Client: c, id: 1,
		hears: make(chan string, 20_000), turn: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	p.turn <- struct{}{}
	r.t.Cleanup(func() { close(p.gone) })
	go p.listen()
	return p
}

func (p *peer) listen() {
	defer close(p.hears)
	for {
		select {
		case <-p.turn:
		case <-p.gone:
			return
		}
		p.turn <- struct{}{}
		f, err := p.Receive()
		if err != nil {
			p.end = err
			return
		}
		p.hears <- f
	}
}

// hold makes the peer stop reading, but for what it is reading just now; free
// lets it go on.
func (p *peer) hold() { <-p.turn }
func (p *peer) free() { p.turn <- struct{}{} }

// A frame is one of the server's, with the members of all.
type frame struct {
	Op, Channel, Position, Sub, Type, Code, Message, From, After, Time string
	Session, Secret, Method                                            string
	ID                                                                 uint64
	Version, Ping                                                      int
	Data                                                               json.RawMessage
	Data64                                                             []byte
	Gap                                                                bool
	Lost                                                               int
	Retry                                                              int
	Headers                                                            map[string]string
	Limits                                                             map[string]int
	Publications                                                       []frame
	Subscriptions                                                      []struct {
		Channel, Position string
		Gap               bool
		Error             *struct{ Code string }
	}

	raw string
}

func (f frame) String() string {
	if len(f.raw) > 500 {
		return f.raw[:500] + "…"
	}
	return f.raw
}

// fatal fails, and says what was heard.
func (p *peer) fatal(format string, args ...any) {
	p.t.Helper()
	heard := p.heard[max(0, len(p.heard)-6):]
	p.t.Fatalf("%s: %s\nthe last it heard:\n  %s", p.way.Name, fmt.Sprintf(format, args...), strings.Join(heard, "\n  "))
}

// any returns the next frame, pings included, or false if the link has ended or
// nothing is heard before the time is over.
func (p *peer) any(end <-chan time.Time) (f frame, ok bool) {
	p.t.Helper()
	select {
	case s, ok := <-p.hears:
		if !ok {
			return f, false
		}
		if err := json.Unmarshal([]byte(s), &f); err != nil {
			p.fatal("a frame that is none: %q: %v", s, err)
		}
		f.raw = s
		p.heard = append(p.heard, f.String())
		return f, true
	case <-end:
		return f, false
	}
}

// tryNext returns the next frame that is no ping, or false if the link has ended
// or none is heard for two minutes.
func (p *peer) tryNext() (frame, bool) {
	p.t.Helper()
	if len(p.early) > 0 {
		f := p.early[0]
		p.early = p.early[1:]
		return f, true
	}
	return p.fresh()
}

func (p *peer) fresh() (frame, bool) {
	p.t.Helper()
	end := time.After(2 * time.Minute)
	for {
		f, ok := p.any(end)
		if !ok || f.Op != "ping" {
			return f, ok
		}
	}
}

func (p *peer) next() frame {
	p.t.Helper()
	f, ok := p.tryNext()
	if !ok {
		p.fatal("nothing more was heard: %v", p.whyNot())
	}
	return f
}

// whyNot returns why the link ended, if it did.
func (p *peer) whyNot() error {
	select {
	case _, ok := <-p.hears:
		if !ok {
			return p.end
		}
	default:
	}
	return nil
}

func (p *peer) want(op string) frame {
	p.t.Helper()
	f := p.next()
	if f.Op != op {
		p.fatal("heard %v, want %s", f, op)
	}
	return f
}

func (p *peer) connected() frame {
	p.t.Helper()
	f := p.want("connected")
	if len(f.Session) != 22 || len(f.Secret) != 22 || f.Position == "" {
		p.fatal("connected without credentials or position: %v", f)
	}
	p.session, p.secret = f.Session, f.Secret
	return f
}

// ask sends a frame with an id of its own and returns the answer to it. Messages
// that come before it are for whoever asks next.
func (p *peer) ask(format string, args ...any) frame {
	p.t.Helper()
	p.id++
	p.say(`{"id":%d,`+strings.TrimPrefix(format, "{"), append([]any{p.id}, args...)...)
	for {
		f, ok := p.fresh()
		switch {
		case !ok:
			p.fatal("no answer to %.200s: %v", fmt.Sprintf(format, args...), p.whyNot())
		case f.Op == "message":
			p.early = append(p.early, f)
		case f.ID != uint64(p.id):
			p.fatal("heard %v, want the answer to %d", f, p.id)
		default:
			return f
		}
	}
}

// reply is ask, and wants a reply.
func (p *peer) reply(format string, args ...any) frame {
	p.t.Helper()
	f := p.ask(format, args...)
	if f.Op != "reply" {
		p.fatal("%.200s was answered %v", fmt.Sprintf(format, args...), f)
	}
	return f
}

// refused is ask, and wants an error.
func (p *peer) refused(code wire.Code, format string, args ...any) {
	p.t.Helper()
	p.isRefusal(p.ask(format, args...), code)
}

func (p *peer) isRefusal(f frame, code wire.Code) {
	p.t.Helper()
	if f.Op != "error" || f.Code != string(code) || f.Message == "" || (f.Retry < 0) == code.Retryable() {
		p.fatal("heard %v, want the error %s", f, code)
	}
}

// say sends a frame. A POST that is told to come again does so, for a minute.
func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	f := fmt.Sprintf(format, args...)
	err := p.Send(f)
	for range 600 {
		if !p.way.Posts || wire.CodeOf(err) != wire.CodeRateLimited {
			break
		}
		time.Sleep(100 * time.Millisecond)
		err = p.Send(f)
	}
	if err != nil {
		p.fatal("sending %.200s: %v", f, err)
	}
}
