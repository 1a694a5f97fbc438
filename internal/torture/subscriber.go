package torture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/longwire/longwire/wire"
)

// A subscriber reads some names for the length of a lap, over as many links as that takes. What it carries from one link to
// the next is where it stands: the position of the last publication that it has processed, or a later one that the
// server told. To process is to write it down. Nothing else is remembered, except the session to resume.
//
// One subscriber is one goroutine.
type subscriber struct {
	// Immutable.
	lap   *lap
	who   string
	names []string
	from  string // where it begins: all or now
	each  bool   // a position for each name; otherwise one for all
	ways  []way  // it comes by one of these each time
	tempo tempo

	// Owned by run.
	rng             *rand.Rand
	d               *dialer
	since           map[string]string // by name
	session, secret string
	link            int32
	begun           bool // this link told where it stands
	heard           int
}

// A tempo is how fast a subscriber reads.
type tempo uint8

const (
	fast    tempo = iota
	slow          // a little time for each publication
	pausing       // now and then it does not read for a while
	away          // now and then it stays away for a while
)

// run reads until ctx ends.
func (s *subscriber) run(ctx context.Context) {
	s.since = map[string]string{}
	for _, name := range s.names {
		s.since[name] = s.from
	}
	for ctx.Err() == nil {
		s.visit(ctx)
		wait := 300
		if s.tempo == away && s.rng.IntN(4) == 0 {
			wait = 8000
		}
		s.lap.sleep(ctx, time.Duration(s.rng.IntN(wait))*time.Millisecond)
	}
}

// visit opens a link, and reads until it ends.
func (s *subscriber) visit(ctx context.Context) {
	w := s.ways[s.rng.IntN(len(s.ways))]
	s.link++
	s.begun = false
	for _, name := range s.names {
		s.record(Event{Kind: Connecting, Name: name, Position: s.since[name], Note: "by " + w.name})
	}
	err := s.read(ctx, w)
	s.lap.tally.link(w.name, err)
	s.record(Event{Kind: Ended, Note: err.Error()})
}

func (s *subscriber) record(e Event) {
	e.Who, e.Link = s.who, s.link
	s.lap.h.Record(e)
}

func (s *subscriber) read(ctx context.Context, w way) error {
	l, err := w.open(ctx, s.d, &asking{s.names, s.since, s.session, s.secret})
	if e, ok := errors.AsType[*wire.Error](err); ok && (e.Code == wire.CodeForbidden || e.Code == wire.CodeSessionMoved) {
		s.session, s.secret = "", ""
	}
	if err != nil {
		return err
	}
	defer l.cut()
	stop := context.AfterFunc(ctx, l.cut)
	defer stop()
	cut := time.AfterFunc(s.lap.life(s.rng), l.cut)
	defer cut.Stop()
	for {
		f, err := l.next()
		if err == nil {
			err = s.hear(f, w.name)
		}
		if err != nil {
			return err
		}
		s.pause(ctx, f)
	}
}

// pause takes its time.
func (s *subscriber) pause(ctx context.Context, f *wire.ServerFrame) {
	if f.Op != wire.OpMessage {
		return
	}
	s.heard++
	switch {
	case s.tempo == slow:
		s.lap.sleep(ctx, time.Duration(s.rng.IntN(8))*time.Millisecond)
	case s.tempo == pausing && s.heard%150 == 0:
		s.lap.sleep(ctx, time.Duration(500+s.rng.IntN(1500))*time.Millisecond)
	}
}

// hear takes up a frame.
func (s *subscriber) hear(f *wire.ServerFrame, by string) error {
	switch f.Op {
	case wire.OpConnected:
		return s.connected(f)
	case wire.OpMessage:
		s.message(f, by)
	case wire.OpGap:
		s.record(Event{Kind: Gapped, Name: f.Channel, Position: f.Position, Note: fmt.Sprintf("after %s, lost %d", f.After, f.Lost)})
		s.stands(f.Channel, f.Position)
	case wire.OpPing:
		s.standsAll(f.Position)
	case wire.OpReply:
		if !s.each {
			s.standsAll(f.Position)
		}
	case wire.OpError, wire.OpClose:
		if f.Code == wire.CodeForbidden {
			s.session, s.secret = "", ""
		}
		return f.Err()
	}
	return nil
}

func (s *subscriber) connected(f *wire.ServerFrame) error {
	s.session, s.secret = f.Session, f.Secret
	for i := range f.Subscriptions {
		t := &f.Subscriptions[i]
		if t.Err != nil {
			return fmt.Errorf("%s is refused: %w", t.Channel, t.Err)
		}
		if t.Gap {
			s.record(Event{Kind: Gapped, Name: t.Channel, Note: "connected has it"})
		}
		if s.each {
			s.began(t.Channel, t.Position)
		}
	}
	if !s.each {
		s.standsAll(f.Position)
	}
	return nil
}

func (s *subscriber) message(f *wire.ServerFrame, by string) {
	name := cmp.Or(f.Sub, f.Channel)
	e := Event{Kind: Received, Name: name, Channel: f.Channel, Position: f.Position}
	t, _, p, err := f.Value()
	if err != nil {
		e.Note = err.Error()
	} else {
		e.ID, e.Note = recognise(t, p)
	}
	s.record(e)
	s.lap.tally.received(by)
	s.stands(name, f.Position)
	s.lap.arrived(s.who, name, f.Channel, e.ID)
}

// stands notes where a subscription stands, or all of them.
func (s *subscriber) stands(name, position string) {
	switch {
	case position == "":
	case s.each:
		s.goOn(name, position)
	default:
		for _, name := range s.names {
			s.goOn(name, position)
		}
	}
}

// goOn notes from where the next link goes on.
func (s *subscriber) goOn(name, position string) {
	s.since[name] = position
	s.lap.standing.cross(laneKey{s.who, name})
}

// standsAll notes where all subscriptions stand.
func (s *subscriber) standsAll(position string) {
	if position == "" {
		return
	}
	for _, name := range s.names {
		if !s.begun {
			s.began(name, position)
		} else {
			s.goOn(name, position)
		}
	}
	s.begun = true
}

// began notes that a link has told where a subscription stands.
func (s *subscriber) began(name, position string) {
	if position != "" {
		s.goOn(name, position)
		s.record(Event{Kind: Connected, Name: name, Position: position})
	}
}
