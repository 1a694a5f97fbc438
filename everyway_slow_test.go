package longwire_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

const many = 5000

// padded is a text with a number in front, long enough that many of them are more
// than a connection holds.
func padded(i int) string { return strconv.Itoa(i) + strings.Repeat(" ", 200) }

func (r *rig) padded(channel string, from, to int) {
	r.t.Helper()
	for i := from; i <= to; i++ {
		r.publish(channel, padded(i))
	}
}

// nth returns the number of a padded message.
func (p *peer) nth(f frame) int {
	p.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(strings.Trim(string(f.Data), `"`)))
	if err != nil || f.Op != "message" {
		p.fatal("heard %v", f)
	}
	return n
}

// padded wants them, in order; it returns the position of the last.
func (p *peer) padded(channel string, from, to int) (at string) {
	p.t.Helper()
	for i := from; i <= to; i++ {
		f := p.want("message")
		if f.Channel != channel || p.nth(f) != i {
			p.fatal("heard %v, want number %d of %s", f, i, channel)
		}
		at = f.Position
	}
	return at
}

func deepOptions() longwire.Options {
	return longwire.Options{Open: true, Broker: deep{keeps: 2 * many}}
}

// TestSlowConsumer stops reading while much is published. Nobody else notices, and
// it gets all of it afterwards, in order.
func TestSlowConsumer(t *testing.T) {
	everyWay(t, deepOptions(), func(t *testing.T, r *rig, w ways.Way) {
		slow, well := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		for _, c := range []string{"x", "y.*"} {
			slow.reply(`{"op":"subscribe","channel":%q}`, c)
			well.reply(`{"op":"subscribe","channel":%q}`, c)
		}
		slow.hold()
		for i := 0; i < many; i += 500 {
			r.padded("x", i, i+498)
			r.padded("y.z", i+499, i+499)
			well.padded("x", i, i+498)
			well.padded("y.z", i+499, i+499)
		}
		slow.free()
		for i := 0; i < many; i += 500 {
			slow.padded("x", i, i+498)
			slow.padded("y.z", i+499, i+499)
		}
		r.padded("x", many, many)
		slow.padded("x", many, many)
		well.padded("x", many, many)
		slow.silent()
	})
}

// TestSlowConsumerUnsubscribes in the midst of what it has not read.
func TestSlowConsumerUnsubscribes(t *testing.T) {
	everyWay(t, deepOptions(), func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.reply(`{"op":"subscribe","channel":"y"}`)
		p.hold()
		const much = many / 4
		for i := range much {
			r.padded("x", i, i)
			r.padded("y", i, i)
		}
		p.say(`{"op":"unsubscribe","id":50,"channel":"x"}`)
		p.free()
		x, y, answered := 0, 0, false
		for y < much {
			f := p.next()
			switch {
			case f.ID == 50 && f.Op == "reply":
				answered = true
			case f.Channel == "x" && answered:
				p.fatal("heard %v after the reply", f)
			case f.Channel == "x" && p.nth(f) == x:
				x++
			case f.Channel == "y" && p.nth(f) == y:
				y++
			default:
				p.fatal("heard %v, want number %d of x or %d of y", f, x, y)
			}
		}
		if !answered || x == much {
			t.Errorf("%d of x, answered: %v", x, answered)
		}
		r.padded("x", 0, 0)
		r.padded("y", y, y)
		p.padded("y", y, y)
		p.silent()
	})
}

// TestSlowConsumerResumes by another way in the midst of what it has not read.
func TestSlowConsumerResumes(t *testing.T) {
	o := longwire.Options{Open: true, Broker: deep{keeps: 2000}}
	const much = 450
	everyPair(t, o, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.hold()
		r.padded("x", 0, much-1)
		p.free()
		at := p.padded("x", 0, much/3)
		p.hold()
		if first.Name == "poll" {
			p.Cut() // two who poll by the same id and secret cannot be told apart
		}
		n, _ := p.again(then, at, "x")
		n.hold()
		r.padded("x", much, 2*much-1)
		n.free()
		n.padded("x", much/3+1, 2*much-1)
		r.padded("x", 2*much, 2*much)
		n.padded("x", 2*much, 2*much)
	})
}

// TestSlowConsumerLoses what history does not keep, and is told so before it hears
// anything later.
func TestSlowConsumerLoses(t *testing.T) {
	o := longwire.Options{Open: true, Broker: deep{keeps: 100}}
	longwire.Bound(&o, longwire.Bounds{Recent: 64})
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.reply(`{"op":"subscribe","channel":"y"}`)
		p.hold()
		r.padded("y", 0, 50)
		r.padded("x", 0, many-1)
		p.free()
		nextX, nextY, gaps := 0, 0, 0
		for nextX < many {
			switch f := p.next(); {
			case f.Op == "gap" && f.Channel == "x":
				gaps++
				nextX = -1
			case f.Channel == "y" && p.nth(f) == nextY:
				nextY++
			case f.Channel == "x" && (p.nth(f) == nextX || nextX < 0):
				nextX = p.nth(f) + 1
			default:
				p.fatal("heard %v, want number %d of x or %d of y", f, nextX, nextY)
			}
		}
		if gaps == 0 || nextY != 51 {
			t.Errorf("%d gaps, %d of y", gaps, nextY)
		}
		r.padded("y", 51, 51)
		p.padded("y", 51, 51)
		p.silent()
	})
}

// TestSlowReader is the same for those who read without a session.
func TestSlowReader(t *testing.T) {
	everyReading(t, deepOptions(), func(t *testing.T, r *rig, w ways.Reading) {
		p := r.reads(w, "x,y", "", "")
		p.hold()
		time.Sleep(time.Second)
		const much = many / 3
		r.padded("x", 0, much-1)
		p.free()
		at := p.padded("x", 0, much/2)
		p.hold()
		p.Cut()
		n := r.reads(w, "x,y", "", at)
		n.padded("x", much/2+1, much-1)
		r.padded("y", 0, 0)
		n.padded("y", 0, 0)
		n.silent()
	})
}

// TestDoesNotReadReplies asks and does not read the answers: it is not read any more,
// and not cut, and gets them all in the end.
func TestDoesNotReadReplies(t *testing.T) {
	o := longwire.Options{Open: true, Rate: -1}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		other, p := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		other.reply(`{"op":"subscribe","channel":"x"}`)
		p.hold()
		const asks = 600
		said := make(chan struct{})
		go func() {
			defer close(said)
			for n := range asks {
				p.say(`{"op":"history","id":%d,"channel":"a-rather-long-name-of-a-channel-so-that-it-fills","since":"now"}`, n+1)
			}
		}()
		time.Sleep(20 * time.Second)
		r.publish("x", "1")
		other.message("x", `"1"`)
		p.free()
		for i := range asks {
			if f := p.want("reply"); f.ID != uint64(i+1) {
				p.fatal("heard %v, want the answer to %d", f, i+1)
			}
		}
		<-said
	})
}
