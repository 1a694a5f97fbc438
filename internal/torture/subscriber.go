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
// the next is where it stands: the position of the last publication of each name that it has processed, or a later one
// that the server told. To process is to write it down. Nothing else is remembered, except the session to resume.
//
// One subscriber is one goroutine.
type subscriber struct {
	// Immutable.
	lap   *lap
	who   string
	names []string
	from  string // where it begins: all or now
	ways  []way  // it comes by one of these each time
	tempo tempo

	// Owned by run.
	rng             *rand.Rand
	d               *dialer
	stance          stance
	session, secret string
	way             way
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
	s.stance = newStance(s.names, s.from)
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
	s.way = s.ways[s.rng.IntN(len(s.ways))]
	s.link++
	s.begun = false
	if !s.way.asksEach {
		s.stance.goBack()
	}
	for _, name := range s.names {
		e := Event{Kind: Connecting, Name: name, Position: s.stance.each[name], Note: "by " + s.way.name}
		if !s.way.asksEach {
			e.Again = int32(s.stance.behind[name])
		}
		s.record(e)
	}
	err := s.read(ctx)
	s.lap.tally.link(s.way.name, err)
	s.record(Event{Kind: Ended, Note: err.Error()})
}

func (s *subscriber) record(e Event) {
	e.Who, e.Link = s.who, s.link
	s.lap.h.Record(e)
}

func (s *subscriber) read(ctx context.Context) error {
	l, err := s.way.open(ctx, s.d, &asking{s.names, s.stance.each, s.session, s.secret})
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
	for small := s.d.small; ; {
		f, err := l.next()
		if err == nil {
			err = s.hear(f)
		}
		if err != nil {
			return err
		}
		s.pause(ctx, f)
		if small && closed(s.lap.hurry) { // this link would take its time
			s.d.small = false
			return errHurry
		}
	}
}

var errHurry = errors.New("cut, to come by a faster link")

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
		s.lap.sleep(ctx, time.Duration((0.25+0.75*s.rng.Float64())*float64(s.lap.o.Stop)))
	}
}

// hear takes up a frame.
func (s *subscriber) hear(f *wire.ServerFrame) error {
	switch f.Op {
	case wire.OpConnected:
		return s.connected(f)
	case wire.OpMessage:
		s.message(f)
	case wire.OpGap:
		s.gap(f)
	case wire.OpPing:
		s.standsAll(f.Position)
	case wire.OpError, wire.OpClose:
		if f.Code == wire.CodeForbidden {
			s.session, s.secret = "", ""
		}
		return f.Err()
	}
	return nil
}

// connected hears where a session's subscriptions begin. Where there are positions for each, up to that of the session
// all have come, and some may have come further.
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
		if s.way.tellsEach && t.Position != "" {
			s.stance.each[t.Channel] = t.Position
			s.began(t.Channel, t.Position)
		}
	}
	switch {
	case !s.way.tellsEach:
		s.standsAll(f.Position)
	case f.Position != "":
		s.stance.all, s.begun = f.Position, true
	}
	return nil
}

func (s *subscriber) message(f *wire.ServerFrame) {
	name := cmp.Or(f.Sub, f.Channel)
	e := Event{Kind: Received, Name: name, Channel: f.Channel, Position: f.Position}
	t, _, p, err := f.Value()
	if err != nil {
		e.Note = err.Error()
	} else {
		e.ID, e.Note = recognise(t, p)
	}
	s.record(e)
	s.lap.tally.received(s.way.name)
	s.stance.message(name, f.Position, !s.way.tellsEach)
	s.lap.standing.cross(laneKey{s.who, name})
	s.lap.arrived(s.who, name, f.Channel, e.ID)
}

// gap hears that something is missing. The id of an event is everybody's position, as always.
func (s *subscriber) gap(f *wire.ServerFrame) {
	s.record(Event{Kind: Gapped, Name: f.Channel, Position: f.Position, Note: fmt.Sprintf("after %s, lost %d", f.After, f.Lost)})
	switch {
	case s.way.ids:
		s.standsAll(f.Position)
	case s.way.tellsEach || len(s.names) == 1:
		s.stance.gap(f.Channel, f.Position)
	}
}

// standsAll notes where all subscriptions stand.
func (s *subscriber) standsAll(position string) {
	if position == "" {
		return
	}
	s.stance.stand(position)
	for _, name := range s.names {
		if !s.begun {
			s.began(name, position)
		}
	}
	s.begun = true
}

// began notes that a link has told where a subscription stands.
func (s *subscriber) began(name, position string) {
	s.record(Event{Kind: Connected, Name: name, Position: position})
	s.lap.standing.cross(laneKey{s.who, name})
}
