package longwire_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// scattered runs a body with a node that has ten publications on each of the channels
// a.1 to d.10, and brings a session forty of them at most by last:N of patterns.
func scattered(t *testing.T, body func(t *testing.T, r *rig, w ways.Way, b *gatedBroker)) {
	o := openToAll
	longwire.Bound(&o, longwire.Bounds{Recent: 1, Page: 4, Scattered: 40})
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			gated(t, o, nil, func(t *testing.T, r *rig, b *gatedBroker) {
				for i := range 100 {
					for _, c := range "abcd" {
						r.publish(fmt.Sprintf("%c.%d", c, 1+i%10), fmt.Sprint(1+i))
					}
				}
				body(t, r, w, b)
			})
		})
	}
}

// lasts hears so many messages, and returns which of each pattern, in short.
func (p *peer) lasts(n int) map[string]string {
	p.t.Helper()
	got := map[string]string{}
	for range n {
		f := p.want("message")
		got[f.Sub] += " " + strings.Trim(string(f.Data), `"`)
	}
	p.silent()
	return got
}

// What the last so many of patterns hold is bounded for all of them together, and each
// gets the same part of it.
func TestLastOfManyPatterns(t *testing.T) {
	scattered(t, func(t *testing.T, r *rig, w ways.Way, _ *gatedBroker) {
		var p *peer
		patterns := []string{"a.*", "b.*", "c.*", "d.*"}
		if w.ByToken {
			p = r.dial(w, ways.Options{Query: "since=last:9&channel=" + strings.Join(patterns, "&channel=")})
		} else {
			p = r.dial(w, ways.Options{Subscribe: wishes("last:9", patterns...)})
		}
		got := p.lasts(40)
		for _, s := range patterns {
			if want := " 91 92 93 94 95 96 97 98 99 100"; got[s] != want {
				t.Errorf("of %s it got%s, want%s", s, got[s], want)
			}
		}
	})
}

// A pattern has what those leave that catch up already, and something in any case.
func TestLastOfAnotherPattern(t *testing.T) {
	scattered(t, func(t *testing.T, r *rig, w ways.Way, b *gatedBroker) {
		p := r.dial(w, ways.Options{})
		open := b.shut(2) // where the first begins is told
		p.reply(`{"op":"subscribe","channel":"a.*","since":"last:9"}`)
		p.say(`{"op":"subscribe","id":70,"channel":"b.*","since":"last:9"}`)
		open()
		got := map[string]int{}
		for n := 0; n < 41; {
			if f := p.next(); f.Op == "message" {
				got[f.Sub]++
				n++
			}
		}
		p.silent()
		if got["a.*"] != 40 || got["b.*"] != 1 {
			t.Errorf("it got %v", got)
		}
		if p.reply(`{"op":"unsubscribe","channel":"a.*"}`); p.reply(`{"op":"subscribe","channel":"c.*","since":"last:9"}`).Gap {
			t.Error("a gap was told")
		}
		if got := p.lasts(40)["c.*"]; !strings.HasSuffix(got, " 100") {
			t.Errorf("it got%s", got)
		}
	})
}
