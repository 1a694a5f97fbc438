package longwire_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A pattern that covers channels without history: whoever comes back to it may have missed something, and is told
// so, and gets what there is. Positions that it is told can be come back with, also where it came with one that
// says nothing of some of the partitions.
func TestPartialHistory(t *testing.T) {
	o := openToAll
	o.Broker = deep{classes: []longwire.Class{
		{Name: "live", Patterns: []string{"live.>"}, Count: -1}, {Name: "chat", Patterns: []string{"chat.>"}},
	}, parts: 1}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		one := string(r.publish("news", "1")) // of one partition
		r.publish("live.a", "lost")
		r.publish("chat.a", "2")
		r.publish("news", "3")
		for _, tt := range []struct {
			name, since, want string
			gap               bool
		}{
			{">", one, "2 3", true}, // it says nothing of chat's partition: from the oldest there
			{"live.*", one, "", true},
			{"live.a", one, "", true},
			{"news", one, "3", false},
			{"chat.*", "all", "2", false},
		} {
			p := r.dial(w, ways.Options{})
			if h := p.reply(`{"op":"history","channel":%q,"since":%q}`, tt.name, tt.since); h.Gap != tt.gap {
				t.Errorf("history of %s since %s: %v", tt.name, tt.since, h)
			}
			f := p.reply(`{"op":"subscribe","channel":%q,"since":%q}`, tt.name, tt.since)
			if f.Gap != tt.gap {
				t.Errorf("%s since %s: %v", tt.name, tt.since, f)
			}
			at := f.Position
			if tt.gap {
				at = p.want("gap").Position
			}
			for data := range strings.FieldsSeq(tt.want) {
				m := p.next()
				if string(m.Data) != `"`+data+`"` {
					t.Errorf("%s since %s: heard %v", tt.name, tt.since, m)
				}
				at = m.Position
			}
			if len(at) > wire.MaxPosition {
				t.Errorf("%s has %d bytes", at, len(at))
			}
			p.reply(`{"op":"history","channel":%q,"since":%q}`, tt.name, at)
			p.Cut()
		}
	})
}

// Polling would miss what comes between two polls, also by a pattern of which some keeps no history.
func TestPartialHistoryIsNotPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openToAll
		o.Broker = deep{classes: []longwire.Class{{Name: "live", Patterns: []string{"live.>"}, Count: -1}}, parts: 1}
		r := newRig(t, o)
		for names, want := range map[string]int{
			"news": 200, "live.a": 409, "live.*": 409, "*.a": 409, "%3E": 409, "chat.*": 200, "news,live.a": 409,
		} {
			if a := r.do("GET", "/channels/"+names+"?wait=0s", ""); a.status != want {
				t.Errorf("polling %s: %d, want %d", names, a.status, want)
			}
		}
	})
}

// A position of a partition that there is not, as after a class was removed, is no position of the one there is,
// whatever its number.
func TestForeignPartition(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		epoch, _, _ := strings.Cut(string(r.publish("x", "1")), "-")
		for _, since := range []string{"zz-1~1-fnmqo0", "zz-1-fnmqo0", epoch + "-1~1-fnmqo0", "zz-1.1-fnmqo0", epoch + "-1.1-fnmqo0"} {
			p := r.dial(w, ways.Options{})
			if h := p.reply(`{"op":"history","channel":"x","since":%q}`, since); !h.Gap || len(h.Publications) != 1 {
				t.Errorf("history since %s: %v", since, h)
			}
			if f := p.reply(`{"op":"subscribe","channel":"x","since":%q}`, since); !f.Gap {
				t.Errorf("since %s: %v", since, f)
			}
			p.want("gap")
			p.message("x", `"1"`)
			p.Cut()
			if a := r.do("GET", "/channels/x?wait=1s&since="+since, ""); a.header.Get("Longwire-Gap") != "x" || !strings.Contains(a.body, `"data":"1"`) {
				t.Errorf("polled since %s: %+v", since, a)
			}
		}
	})
}
