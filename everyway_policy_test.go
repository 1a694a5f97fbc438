package longwire_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// live are options with channels without history, live.>, beside others.
func live(p longwire.Policy, parts int) longwire.Options {
	return longwire.Options{Open: true, Broker: deep{keeps: 2 * many, parts: parts, classes: []longwire.Class{
		{Name: "live", Patterns: []string{"live.>"}, Count: -1, Behind: p},
		{Name: "default", Count: 2 * many},
	}}}
}

// lives are such brokers: of one partition, in which nothing has history, and of several.
func lives(p longwire.Policy) map[string]longwire.Options {
	return map[string]longwire.Options{
		"alone":             {Open: true, Broker: deep{keeps: -1, behind: p}},
		"with others":       live(p, 1),
		"in two partitions": live(p, 2),
	}
}

// everyLive runs one body over every way and such a broker.
func everyLive(t *testing.T, p longwire.Policy, body func(t *testing.T, r *rig, w ways.Way)) {
	for name, o := range lives(p) {
		t.Run(name, func(t *testing.T) { everyWay(t, o, body) })
	}
}

// A holey is what somebody hears who may miss something: after a gap, and not otherwise.
type holey struct {
	p       *peer
	next    map[string]int // by channel and the subscription's name
	gaps    map[string]int // by that name
	known   map[string]int // the gaps of the name when the last of a channel came
	run     map[string]int // since the last hole
	missing int
	lost    int // told by gaps
}

func (p *peer) holey() *holey {
	return &holey{p, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, 0, 0}
}

// hear hears one frame.
func (h *holey) hear() frame {
	h.p.t.Helper()
	f := h.p.next()
	if f.Op == "gap" {
		h.gaps[f.Channel]++
		h.lost += f.Lost
		return f
	}
	name := f.Sub
	if name == "" {
		name = f.Channel
	}
	k := f.Channel + " " + name
	n := h.p.nth(f)
	if n < h.next[k] || n > h.next[k] && h.gaps[name] == h.known[k] {
		h.p.fatal("heard %v, want number %d", f, h.next[k])
	}
	if n > h.next[k] {
		h.missing += n - h.next[k]
		h.run[k] = 0
	}
	h.run[k]++
	h.next[k], h.known[k] = n+1, h.gaps[name]
	return f
}

// upTo hears until all have come to a number.
func (h *holey) upTo(n int, keys ...string) {
	h.p.t.Helper()
	for _, k := range keys {
		for h.next[k] <= n {
			h.hear()
		}
	}
}

const much = 1500

// The last that fit wait for one who is behind, behind a gap that tells how many do not.
func TestDropOldest(t *testing.T) {
	everyLive(t, longwire.DropOldest, func(t *testing.T, r *rig, w ways.Way) {
		slow, well := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		for _, c := range []string{"live.a", "live.*", "x"} {
			slow.reply(`{"op":"subscribe","channel":%q}`, c)
		}
		well.reply(`{"op":"subscribe","channel":"live.a"}`)
		slow.hold()
		for i := range much {
			r.padded("live.a", i, i)
			well.padded("live.a", i, i)
		}
		r.padded("x", 0, 0)
		synctest.Wait() // all is handed out
		slow.free()
		h := slow.holey()
		h.upTo(much-1, "live.a live.a", "live.a live.*")
		if w := h.run["live.a live.a"] + h.run["live.a live.*"]; h.missing == 0 || h.lost != h.missing || w < 30 {
			t.Errorf("%d are missing, %d are told lost; the last %d came", h.missing, h.lost, w)
		}
		if n := r.node.Dropped(); n != uint64(h.lost) {
			t.Errorf("%d are counted, %d are told lost", n, h.lost)
		}
		h.upTo(0, "x x")
		r.padded("live.a", much, much)
		r.padded("x", 1, 1)
		h.upTo(much, "live.a live.a", "live.a live.*")
		h.upTo(1, "x x")
		if n := r.node.Dropped(); n != uint64(h.lost) || h.lost != h.missing {
			t.Errorf("%d are counted, %d are told lost, %d are missing", n, h.lost, h.missing)
		}
		slow.silent()
		well.padded("live.a", much, much)
		well.silent()
	})
}

// Somebody who is behind a little misses nothing.
func TestBehindALittle(t *testing.T) {
	for _, p := range []longwire.Policy{longwire.DropOldest, longwire.Disconnect} {
		t.Run(p.String(), func(t *testing.T) {
			everyWay(t, live(p, 2), func(t *testing.T, r *rig, w ways.Way) {
				slow := r.dial(w, ways.Options{})
				slow.reply(`{"op":"subscribe","channel":"live.a"}`)
				slow.reply(`{"op":"subscribe","channel":"x.*"}`)
				slow.hold()
				for i := range 2 * much / 40 {
					r.padded("x.a", i, i)
				}
				r.padded("live.a", 0, 39)
				synctest.Wait() // all is handed out
				slow.free()
				h := slow.holey()
				h.upTo(39, "live.a live.a")
				if h.missing+h.lost+len(h.gaps) > 0 || r.node.Dropped() > 0 {
					t.Errorf("%d are missing, %d are told lost by %d gaps", h.missing, h.lost, len(h.gaps))
				}
			})
		})
	}
}

// The newest of each channel waits.
func TestKeepLatest(t *testing.T) {
	everyLive(t, longwire.KeepLatest, func(t *testing.T, r *rig, w ways.Way) {
		slow := r.dial(w, ways.Options{})
		slow.reply(`{"op":"subscribe","channel":"live.>"}`)
		slow.reply(`{"op":"subscribe","channel":"live.seldom"}`)
		slow.hold()
		r.padded("live.a", 0, much-1)
		synctest.Wait() // there is no room for anything more
		r.padded("live.a", much, 2*much-1)
		r.padded("live.seldom", 0, 0)
		r.padded("live.a", 2*much, 2*much)
		r.padded("live.b", 0, much)
		synctest.Wait() // all is handed out
		slow.free()
		h := slow.holey()
		h.upTo(2*much, "live.a live.>")
		h.upTo(much, "live.b live.>")
		h.upTo(0, "live.seldom live.>", "live.seldom live.seldom")
		if h.run["live.a live.>"] != 1 || h.run["live.b live.>"] != 1 || h.gaps["live.seldom"] != 0 {
			t.Errorf("heard %v behind holes, %v gaps", h.run, h.gaps)
		}
		if n := r.node.Dropped(); h.missing == 0 || h.lost != h.missing || n != uint64(h.lost) {
			t.Errorf("%d are missing, %d are told lost, %d are counted", h.missing, h.lost, n)
		}
		slow.silent()
	})
}

// The link is closed, and whoever comes back hears of a gap and gets what has history.
func TestDisconnect(t *testing.T) {
	for name, o := range map[string]longwire.Options{"one": live(longwire.Disconnect, 1), "two": live(longwire.Disconnect, 2)} {
		t.Run(name, func(t *testing.T) {
			everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
				slow, well := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
				for _, p := range []*peer{slow, well} {
					p.reply(`{"op":"subscribe","channel":"live.a"}`)
					p.reply(`{"op":"subscribe","channel":"x"}`)
				}
				at := r.publish("x", padded(0))
				slow.padded("x", 0, 0)
				well.padded("x", 0, 0)
				slow.hold()
				for i := range much {
					r.padded("live.a", i, i)
					well.padded("live.a", i, i)
				}
				r.padded("x", 1, 1)
				well.padded("x", 1, 1)
				synctest.Wait() // all is handed out
				slow.free()
				h := slow.holey()
				h.next["x x"] = 1
				for {
					f, ok := slow.tryNext()
					if !ok {
						break
					}
					slow.early = append([]frame{f}, slow.early...)
					h.hear()
				}
				want := wire.CodeSlowConsumer
				if w.Name == "poll" {
					want = wire.CodeSessionMoved
				}
				if e, ok := slow.whyNot().(*ways.End); !ok || e.Code != want && e.Code != "" || w.Name == "tcp" && e.Retry <= 0 {
					t.Errorf("ended with %v", slow.whyNot())
				}
				if h.missing > 0 || h.next["live.a live.a"] == much {
					t.Errorf("%d are missing before the end, at %d", h.missing, h.next["live.a live.a"])
				}
				n, f := slow.again(w, string(at), "live.a", "x")
				told := strings.Contains(f.raw, `"gap":true`)
				seen := false
				for !seen {
					switch f := n.next(); {
					case f.Op == "gap" && f.Channel == "live.a":
						told = true
					case f.Channel == "x" && n.nth(f) == 1:
						seen = true
					default:
						n.fatal("heard %v, want number 1 of x", f)
					}
				}
				r.padded("live.a", much, much)
				for {
					f := n.next()
					if f.Op == "gap" && f.Channel == "live.a" {
						told = true
						continue
					}
					if f.Channel != "live.a" || n.nth(f) != much || !told {
						n.fatal("heard %v; a gap was told: %t", f, told)
					}
					break
				}
				n.silent()
			})
		})
	}
}

// Who reads without a session is treated alike.
func TestSlowReaderOfLive(t *testing.T) {
	for _, p := range []longwire.Policy{longwire.DropOldest, longwire.KeepLatest} {
		t.Run(p.String(), func(t *testing.T) {
			everyReading(t, live(p, 2), func(t *testing.T, r *rig, w ways.Reading) {
				if strings.HasSuffix(w.Name, "poll") {
					a := r.do("GET", "/channels/live.a,x?wait=1s", "")
					if a.status != 409 || !strings.Contains(a.body, "needs_history") {
						t.Errorf("a poll was answered %d %s", a.status, a.body)
					}
					return
				}
				slow := r.reads(w, "live.*,x", "", "")
				slow.hold()
				time.Sleep(time.Second)
				for i := range much {
					r.padded("live.a", i, i)
					if i%10 == 0 {
						r.padded("x", i/10, i/10)
					}
				}
				synctest.Wait() // all is handed out
				slow.free()
				h := slow.holey()
				h.upTo(much-1, "live.a live.*")
				h.upTo(much/10-1, "x x")
				if h.missing == 0 || h.lost != h.missing || h.gaps["x"] > 0 || r.node.Dropped() != uint64(h.lost) {
					t.Errorf("%d are missing, %d are told lost, %d are counted; gaps %v", h.missing, h.lost, r.node.Dropped(), h.gaps)
				}
				slow.silent()
			})
		})
	}
}

// Whoever comes back while something waited hears of a gap on the pattern, and misses nothing that has history.
func TestBehindResumes(t *testing.T) {
	everyWay(t, live(longwire.DropOldest, 2), func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":">"}`)
		r.publish("x", padded(0))
		at := p.padded("x", 0, 0)
		p.hold()
		r.padded("live.a", 0, much-1)
		r.padded("x", 1, 50)
		p.Cut()
		n, f := p.again(w, at, ">")
		h := n.holey()
		h.next["x >"] = 1
		if strings.Contains(f.raw, `"gap":true`) {
			h.gaps[">"]++
		}
		r.padded("live.a", much, much)
		h.upTo(50, "x >")
		h.upTo(much, "live.a >")
		n.silent()
	})
}

// A loop that is behind loses nothing silently either, and nothing that has history.
func TestLoopBehindOnLive(t *testing.T) {
	for _, p := range []longwire.Policy{longwire.DropOldest, longwire.KeepLatest} {
		t.Run(p.String(), func(t *testing.T) {
			o := live(p, 2)
			longwire.Bound(&o, longwire.Bounds{Inbox: 4000, Turn: 1})
			everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
				var all []*holey
				for range 3 {
					p := r.dial(w, ways.Options{})
					p.reply(`{"op":"subscribe","channel":"live.*"}`)
					p.reply(`{"op":"subscribe","channel":"x"}`)
					all = append(all, p.holey())
				}
				for i := range much {
					for _, c := range []string{"live.a", "x", fmt.Sprint("live.", i%7)} {
						n := i
						if strings.HasPrefix(c, "live.") && c != "live.a" {
							n = i / 7
						}
						r.node.PublishFunc(c, []byte(padded(n)), &longwire.PublishOptions{Kind: longwire.Text}, nil)
					}
				}
				for _, h := range all {
					h.upTo(much-1, "x x")
				}
				time.Sleep(time.Second)
				r.padded("live.a", much, much)
				lost := 0
				for _, h := range all {
					h.upTo(much, "live.a live.*")
					lost += h.lost
					if h.gaps["x"] > 0 {
						t.Errorf("gaps: %v", h.gaps)
					}
				}
				if n := r.node.Dropped(); n != uint64(lost) || n == 0 {
					t.Errorf("%d are counted, %d are told lost", n, lost)
				}
			})
		})
	}
}
