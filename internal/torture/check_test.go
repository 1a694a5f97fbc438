package torture

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// story reads a history, one event on each line:
//
//	begun 1.2 chat [key]      publication 2 of publisher 1
//	acked 1.2 chat POSITION
//	unknown 1.2 chat          refused 1.2 chat
//	kept 1.2 chat
//	s connecting NAME all|now|behind 1.2     s connected NAME
//	s connecting NAME POSITION again 3       from before the last three at most
//	s instead NAME 12                        in place of whoever saw the event on the twelfth line, from there
//	s got NAME chat 1.2 LINK                 s gap NAME, s left NAME
func story(t *testing.T, text string) (events []Event) {
	t.Helper()
	for line := range strings.Lines(text) {
		w := append(strings.Fields(line), make([]string, 8)...)
		var e Event
		switch w[0] {
		case "":
			continue
		case "begun":
			e = Event{Kind: Begun, ID: id(t, w[1]), Channel: w[2], Keyed: w[3] == "key"}
		case "acked":
			e = Event{Kind: Acked, ID: id(t, w[1]), Channel: w[2], Position: w[3]}
		case "unknown":
			e = Event{Kind: Unknown, ID: id(t, w[1]), Channel: w[2]}
		case "refused":
			e = Event{Kind: Refused, ID: id(t, w[1]), Channel: w[2]}
		case "kept":
			e = Event{Kind: Kept, ID: id(t, w[1]), Channel: w[2]}
		default:
			e = reads(t, w)
		}
		events = append(events, e)
	}
	return events
}

func reads(t *testing.T, w []string) Event {
	t.Helper()
	e := Event{Who: w[0], Name: w[2]}
	switch w[1] {
	case "connecting":
		e.Kind, e.Position = Connecting, w[3]
		switch {
		case w[4] == "again":
			again, err := strconv.Atoi(w[5])
			if err != nil {
				t.Fatalf("%q is from nowhere", w)
			}
			e.Again = int32(again)
		case w[4] != "":
			e.ID = id(t, w[4])
		}
	case "instead":
		n, err := strconv.Atoi(w[3])
		if err != nil {
			t.Fatalf("%q is nobody", w)
		}
		e.Kind, e.AsOf = Connecting, int32(n)
	case "connected":
		e.Kind = Connected
	case "got":
		e.Kind, e.Channel, e.ID = Received, w[3], id(t, w[4])
		link, err := strconv.Atoi(w[5])
		if err != nil {
			t.Fatalf("%q has no link", w)
		}
		e.Link = int32(link)
	case "gap":
		e.Kind = Gapped
	case "left":
		e.Kind = Left
	default:
		t.Fatalf("%q is no event", w)
	}
	return e
}

func id(t *testing.T, s string) (id ID) {
	t.Helper()
	if _, err := fmt.Sscanf(s, "%d.%d", &id.Publisher, &id.N); err != nil {
		t.Fatalf("%q is no publication", s)
	}
	return id
}

// keeping is of channels that all keep as many.
func keeping(n int) func(string) int { return func(string) int { return n } }

// three are published, acknowledged one after the other, and kept.
const three = `
	begun 1.1 chat key
	acked 1.1 chat A
	begun 1.2 chat
	acked 1.2 chat B
	begun 1.3 chat
	acked 1.3 chat C
`

const keptThree = `
	kept 1.1 chat
	kept 1.2 chat
	kept 1.3 chat
`

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name  string
		story string
		want  string // what the faults begin with, and whose they are
	}{
		{"all is well", three + `
			s connecting chat all
			s connected chat
			s got chat chat 1.1 1
			s connecting chat A
			s connected chat
			s got chat chat 1.2 2
			s got chat chat 1.3 2
			p connecting * all
			p got * chat 1.1 1
			p got * chat 1.2 1
			p got * chat 1.3 1` + keptThree, ""},
		{"lost in the middle", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.3 1` + keptThree, "lost p1/2"},
		{"lost at the beginning", three + `
			s connecting chat all
			s got chat chat 1.2 1
			s got chat chat 1.3 1` + keptThree, "lost p1/1"},
		{"lost at the end", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1` + keptThree, "lost p1/3"},
		{"nothing came", three + `
			s connecting > all` + keptThree, "lost p1/1"},
		{"nothing was promised: now was never answered", `
			s connecting chat now` + three + keptThree, ""},
		{"lost since now", `
			s connecting chat now
			s connected chat` + three + `
			s got chat chat 1.2 1
			s got chat chat 1.3 1` + keptThree, "lost p1/1"},
		{"nothing came since now", `
			s connecting chat now
			s connected chat` + three + keptThree, "lost p1/1"},
		{"now is asked for again", `
			s connecting chat now
			s connected chat
			begun 1.1 chat
			acked 1.1 chat A
			s connecting chat now
			s connected chat
			kept 1.1 chat`, ""},
		{"now begins anywhere while it is answered", `
			begun 1.1 chat
			acked 1.1 chat A
			s connecting chat now
			begun 1.2 chat
			begun 1.3 chat
			acked 1.2 chat B
			acked 1.3 chat C
			s connected chat
			s got chat chat 1.3 1` + keptThree, ""},
		{"before now", `
			begun 1.1 chat
			acked 1.1 chat A
			s connecting chat now
			s connected chat
			s got chat chat 1.1 1
			kept 1.1 chat`, "phantom p1/1"},
		{"twice on a link", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s got chat chat 1.2 1
			s got chat chat 1.3 1` + keptThree, "twice on a link p1/2"},
		{"twice across links", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s connecting chat B
			s got chat chat 1.2 2
			s got chat chat 1.3 2` + keptThree, "twice across links p1/2"},
		{"once for each subscription", three + `
			s connecting chat behind 1.2
			s connecting * behind 1.2
			s got chat chat 1.3 1
			s got * chat 1.3 1` + keptThree, ""},
		{"out of order", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.3 1
			s got chat chat 1.2 1` + keptThree, "lost p1/2; out of order p1/2"},
		{"not what follows", three + `
			s connecting chat behind 1.1
			s got chat chat 1.3 1` + keptThree, "lost p1/2"},
		{"who leaves is owed nothing more", three + `
			s connecting chat behind 1.1
			s got chat chat 1.2 1
			s left chat` + keptThree, ""},
		{"again what was carried", three + `
			s connecting chat behind 1.2
			s got chat chat 1.2 1
			s got chat chat 1.3 1` + keptThree, "out of order p1/2"},
		{"gone back", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s connecting chat all again 2
			s got chat chat 1.1 2
			s got chat chat 1.2 2
			s got chat chat 1.3 2` + keptThree, ""},
		{"gone back at most so far", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s connecting chat A again 2
			s got chat chat 1.2 2
			s connecting chat B
			s got chat chat 1.3 3` + keptThree, ""},
		{"gone back, and nothing came again", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s connecting chat A again 2
			s connecting chat A again 2
			s got chat chat 1.3 3` + keptThree, ""},
		{"gone back too far", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s connecting chat A again 1
			s got chat chat 1.1 2
			s got chat chat 1.2 2
			s got chat chat 1.3 2` + keptThree, "twice across links p1/1"},
		{"lost behind where it went back", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s connecting chat all again 1
			s got chat chat 1.3 2` + keptThree, "lost p1/2"},
		{"lost among what comes again", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 1.2 1
			s connecting chat all again 2
			s got chat chat 1.1 2
			s got chat chat 1.3 2` + keptThree, "lost p1/2"},
		{"twice on a link that went back", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s connecting chat all again 1
			s got chat chat 1.1 2
			s got chat chat 1.1 2
			s got chat chat 1.2 2
			s got chat chat 1.3 2` + keptThree, "twice on a link p1/1"},
		{"false gap", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s gap chat
			s got chat chat 1.2 1
			s got chat chat 1.3 1` + keptThree, "false gap p0/0"},
		{"a gap is no excuse", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s gap chat
			s got chat chat 1.3 1` + keptThree, "false gap p0/0; lost p1/2"},
		{"phantom", three + `
			s connecting chat all
			s got chat chat 1.1 1
			s got chat chat 9.1 1
			s got chat chat 1.2 1
			s got chat chat 1.3 1` + keptThree, "phantom p9/1"},
		{"of another channel", `
			begun 1.1 news
			acked 1.1 news A
			s connecting chat all
			s got chat news 1.1 1
			kept 1.1 news`, "phantom p1/1"},
		{"refused, and yet kept and received", `
			begun 1.1 chat
			refused 1.1 chat
			s connecting chat all
			s got chat chat 1.1 1
			kept 1.1 chat`, "phantom p1/1"},
		{"refused, and tried again", `
			begun 1.1 chat key
			refused 1.1 chat
			begun 1.1 chat key
			acked 1.1 chat A
			s connecting chat all
			s got chat chat 1.1 1
			kept 1.1 chat`, ""},
		{"unknown, and it did", `
			begun 1.1 chat
			unknown 1.1 chat
			s connecting chat all
			s got chat chat 1.1 1
			kept 1.1 chat`, ""},
		{"unknown, and it did not", `
			begun 1.1 chat
			unknown 1.1 chat
			s connecting chat all`, ""},
		{"unknown, and it did twice", `
			begun 1.1 chat
			unknown 1.1 chat
			kept 1.1 chat
			kept 1.1 chat`, "published twice p1/1"},
		{"unknown, received, and forgotten", `
			begun 1.1 chat
			unknown 1.1 chat
			s connecting chat all
			s got chat chat 1.1 1`, "vanished p1/1"},
		{"a key is published twice", `
			begun 1.1 chat key
			begun 1.1 chat key
			acked 1.1 chat A
			kept 1.1 chat
			kept 1.1 chat`, "published twice p1/1"},
		{"a key is acknowledged twice", `
			begun 1.1 chat key
			acked 1.1 chat A
			acked 1.1 chat B
			kept 1.1 chat`, "acknowledged twice p1/1"},
		{"a key is acknowledged twice, at the same place", `
			begun 1.1 chat key
			acked 1.1 chat A
			acked 1.1 chat B
			p connecting chat A 1.1
			q connecting chat B 1.1
			kept 1.1 chat`, ""},
		{"a key is acknowledged twice, at two places", three + `
			acked 1.1 chat Z
			p connecting chat A 1.1
			p got chat chat 1.2 1
			p left chat
			q connecting chat Z 1.1
			q got chat chat 1.3 1
			q left chat` + keptThree, "lost p1/2"},
		{"a key is acknowledged again", `
			begun 1.1 chat key
			acked 1.1 chat A
			acked 1.1 chat A
			kept 1.1 chat`, ""},
		{"acknowledged and not kept", three + `
			kept 1.1 chat
			kept 1.3 chat`, "lost p1/2"},
		{"kept in another order than it was acknowledged in", three + `
			kept 1.1 chat
			kept 1.3 chat
			kept 1.2 chat`, "out of order p1/3"},
		{"at the same time any order is right", `
			begun 1.1 chat
			begun 2.1 chat
			acked 2.1 chat A
			acked 1.1 chat B
			kept 1.1 chat
			kept 2.1 chat`, ""},
		{"kept in another order than it was published in", `
			begun 1.1 chat
			begun 1.2 chat
			acked 1.2 chat A
			acked 1.1 chat B
			kept 1.2 chat
			kept 1.1 chat`, "out of order p1/2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(story(t, tt.story), keeping(0)) {
				got = append(got, f.What+" "+f.ID.String())
			}
			if s := strings.Join(got, "; "); s != tt.want {
				t.Errorf("faults %q, want %q", s, tt.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		name, channel string
		want          bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "a.b", false}, {"a.b", "a", false},
		{"*", "a", true}, {"*", "a.b", false}, {"a.*", "a.b", true}, {"a.*", "a", false}, {"*.b", "a.b", true},
		{">", "a", true}, {">", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "a", false}, {"a.>", "b.c", false},
	} {
		if got := matches(tt.name, tt.channel); got != tt.want {
			t.Errorf("matches(%q, %q) = %v, want %v", tt.name, tt.channel, got, tt.want)
		}
	}
}
