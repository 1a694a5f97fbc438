package longwire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A modelLink is one link of a client, and what the model knows of it. It is opened,
// read and written by goroutines of its own, so that the model can do something
// else meanwhile, as cut it. It reads only what the model lets it.
type modelLink struct {
	m    *model
	n    int
	what string // the way, for people
	s    *modelSession
	tb   *modelTB

	mu      sync.Mutex
	changed sync.Cond
	// Guarded by mu.
	c       ways.Client
	opened  bool
	refused error // by which opening failed
	allow   int   // how many frames it may read; negative is all
	heard   []modelHeard
	ended   error
	out     []*modelRequest
	over    bool // the model has done with it

	// The driver's.
	modelContract
	way        ways.Way
	reader     bool
	resumed    modelResume
	pending    []*modelRequest // sent, and not answered
	calls      map[uint64]*modelRequest
	stalled    time.Time // since when it may not read all; zero while it may
	birth      time.Time
	causes     map[wire.Code]bool // with which codes it may end; the empty one is without a word
	closed     bool               // its end was heard
	first      bool               // connected was heard, or need not be
	isOpen     bool               // that it is open was taken in
	lastID     string
	asked      string // the position that it came with, and is told until it has another
	wasIdle    bool
	wasStalled time.Time // when it was that for the last time
	racing     bool      // with another of its session, which may come after it
	gone       time.Time // when the model cut it
	recent     []string  // the last frames, for what a failure says
}

type modelHeard struct{ text, id string }

// A modelRequest is a frame that is to be answered.
type modelRequest struct {
	id          uint64
	op, channel string
	start       modelStart
	text        string
	bad         string // the code with which it is to be refused
	data        []byte // of a publication
	key         string

	// Guarded by the link's mu.
	sent bool
	void bool // it was refused where it was sent, or never sent: there is no answer
}

// A modelTB collects what a client leaves to the end of the test.
type modelTB struct {
	testing.TB
	mu       sync.Mutex
	cleanups []func()
}

func (t *modelTB) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

func (t *modelTB) run() {
	t.mu.Lock()
	list := t.cleanups
	t.cleanups = nil
	t.mu.Unlock()
	for _, f := range list {
		f()
	}
}

func (m *model) newLink(what string, s *modelSession) *modelLink {
	m.links++
	l := &modelLink{
		m: m, n: m.links, what: what, s: s, tb: &modelTB{TB: m.t}, birth: time.Now(), allow: -1,
		causes: map[wire.Code]bool{}, calls: map[uint64]*modelRequest{},
	}
	l.subs = map[string]*modelSub{}
	l.changed.L = &l.mu
	m.all = append(m.all, l)
	return l
}

func (l *modelLink) String() string { return fmt.Sprintf("link %d (%s)", l.n, l.what) }

// open opens the link on a goroutine.
func (l *modelLink) open(dial func(t testing.TB) (ways.Client, error)) {
	l.m.wg.Go(func() {
		c, err := dial(l.tb)
		l.mu.Lock()
		l.opened, l.refused = true, err
		if err == nil {
			l.c = c
		}
		over := l.over
		l.changed.Broadcast()
		l.mu.Unlock()
		if over {
			l.tb.run()
		}
		if err != nil || over {
			return
		}
		l.m.wg.Go(l.send)
		l.receive()
	})
}

func (l *modelLink) receive() {
	for {
		l.mu.Lock()
		for l.allow == 0 && !l.over {
			l.changed.Wait()
		}
		over := l.over
		l.mu.Unlock()
		if over {
			return
		}
		f, err := l.c.Receive()
		id := ""
		if c, ok := l.c.(interface{ LastID() string }); ok {
			id = c.LastID()
		}
		l.mu.Lock()
		if err != nil {
			l.ended = err
			l.mu.Unlock()
			return
		}
		if l.allow > 0 {
			l.allow--
		}
		l.heard = append(l.heard, modelHeard{f, id})
		l.mu.Unlock()
	}
}

// send sends what waits, one behind the other.
func (l *modelLink) send() {
	for {
		l.mu.Lock()
		for len(l.out) == 0 && !l.over {
			l.changed.Wait()
		}
		if l.over {
			for _, r := range l.out {
				r.void = true
			}
			l.mu.Unlock()
			return
		}
		r := l.out[0]
		l.out = l.out[1:]
		r.sent = true
		l.mu.Unlock()
		if _, refused := errors.AsType[*wire.Error](l.c.Send(r.text)); refused {
			l.mu.Lock()
			r.void = true
			l.mu.Unlock()
		}
	}
}

// say has a request sent.
func (l *modelLink) say(r *modelRequest) {
	if r.id != 0 {
		if r.op == "call" {
			l.calls[r.id] = r
		} else {
			l.pending = append(l.pending, r)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out, r)
	l.changed.Broadcast()
}

// let lets the link read so many frames more, all if n is negative.
func (l *modelLink) let(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || l.allow < 0 {
		l.allow = n
	} else {
		l.allow += n
	}
	if l.allow >= 0 && l.stalled.IsZero() {
		l.stalled = time.Now()
	}
	l.changed.Broadcast()
}

// free reports whether the link reads all there is.
func (l *modelLink) free() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.allow < 0
}

// up reports whether the link is open, as far as this end knows.
func (l *modelLink) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.c != nil && !l.over && l.ended == nil
}

// opening reports whether it is being opened still.
func (l *modelLink) opening() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.opened
}

// lost reports whether the link was cut so long ago that the server, whose hooks are
// late by a tenth of a second each, is done with it.
func (l *modelLink) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over && l.opened && time.Since(l.gone) > 2*time.Second
}

// drop ends the client of the link without a word to the server, by a cut or by vanishing.
func (l *modelLink) drop(vanish bool) {
	l.mu.Lock()
	c, was := l.c, l.over
	l.over = true
	l.changed.Broadcast()
	l.mu.Unlock()
	if was {
		return
	}
	l.gone = time.Now()
	if c == nil {
		return // it goes when it is open
	}
	if vanish {
		c.Vanish()
	}
	c.Cut()
	l.tb.run()
}

// eventID returns what resumes all of the link's subscriptions, if its way has that.
func (l *modelLink) eventID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.c.(interface{ LastID() string }); ok && strings.HasPrefix(l.what, "sse") {
		at, _, _ := strings.Cut(c.LastID(), "/")
		return at
	}
	return ""
}

// A modelFrame is a frame of the server.
type modelFrame struct {
	Op, Channel, Position, Sub, Type, Code, Message, From, After, Time, Method string
	Session, Secret                                                            string
	ID                                                                         uint64
	Data                                                                       json.RawMessage
	Data64                                                                     []byte
	Gap                                                                        bool
	Headers                                                                    map[string]string
	Publications                                                               []modelFrame
	Subscriptions                                                              []modelEntry
}

type modelEntry struct {
	Channel, Position string
	Gap               bool
	Error             *struct{ Code string }
}

// take returns what was heard since.
func (l *modelLink) take() []modelHeard {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.heard
	l.heard = nil
	return h
}
