package longwire_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

func TestPublishAndSubscribe(t *testing.T) {
	secureToo(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		a, b := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		at := b.reply(`{"op":"subscribe","channel":"chat.room1"}`)
		if at.Channel != "chat.room1" || number(at.Position) != "0" || at.Gap {
			t.Errorf("subscribe was answered %v", at)
		}
		b.reply(`{"op":"subscribe","channel":"chat.*"}`)
		done := a.reply(`{"op":"publish","channel":"chat.room1","data":{"a": [1, 2.50]}}`)
		subs := map[string]bool{}
		for range 2 { // once for each subscription
			m := b.message("chat.room1", `{"a":[1,2.50]}`)
			if m.From != a.session || m.Position != done.Position || m.Type != "" {
				t.Errorf("heard %v, published at %v", m, done)
			}
			if at, err := time.Parse(time.RFC3339, m.Time); err != nil || !at.Equal(time.Now()) {
				t.Errorf("time %s, it is %s", m.Time, time.Now())
			}
			subs[m.Sub] = true
		}
		if !subs[""] || !subs["chat.*"] {
			t.Errorf("came by %v", subs)
		}
		if f := b.reply(`{"op":"unsubscribe","channel":"chat.room1"}`); f.Channel != "chat.room1" {
			t.Errorf("unsubscribe was answered %v", f)
		}
		r.publish("chat.room1", "hällo")
		if m := b.message("chat.room1", `"hällo"`); m.Sub != "chat.*" || m.From != "" {
			t.Errorf("heard %v", m)
		}
		b.reply(`{"op":"unsubscribe","channel":"chat.*"}`)
		r.publish("chat.room1", "not heard")
		b.reply(`{"op":"subscribe","channel":"chat.room1"}`)
		b.silent()
		a.silent()
	})
}

// TestSince subscribes in every way to say where to begin, and is live after it.
func TestSince(t *testing.T) {
	type want struct {
		a, b int // the first number that is heard of each; 6 is none before the live one
		gap  bool
	}
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		r.numbers("x.a", 1, 2)
		r.numbers("x.b", 1, 2)
		time.Sleep(10 * time.Minute)
		at := r.numbers("x.a", 3, 3)
		time.Sleep(time.Minute)
		r.numbers("x.a", 4, 5)
		r.numbers("x.b", 3, 5)
		var live []*peer
		epoch := string(at[:len(at)-len("-5-fnmqo0")])
		for _, tt := range []struct {
			since string
			want
		}{
			{"", want{6, 6, false}}, {"now", want{6, 6, false}}, {"all", want{1, 1, false}},
			{"last:1", want{5, 5, false}}, {"last:2", want{4, 4, false}}, {"last:1000", want{1, 1, false}},
			{"5m", want{3, 3, false}}, {"59s", want{4, 3, false}}, {"20m", want{1, 1, false}},
			{string(at), want{4, 3, false}},
			{"zzz-3-fnmqo0", want{1, 1, true}}, {epoch + "-99-fnmqo0", want{1, 1, true}}, {epoch + "-0-fnmqo0", want{1, 1, false}},
		} {
			for _, sub := range []string{"x.a", "x.*", "x.>"} {
				p := r.dial(w, ways.Options{})
				f := p.reply(`{"op":"subscribe","channel":%q,"since":%q}`, sub, tt.since)
				if f.Gap != tt.gap || f.Position == "" || f.Channel != sub {
					p.fatal("since %q was answered %v", tt.since, f)
				}
				if tt.gap {
					g := p.want("gap")
					if g.Channel != sub || g.After != tt.since || g.Position != f.Position {
						p.fatal("since %q: gap %v behind %v", tt.since, g, f)
					}
				}
				next := map[string]int{"x.a": tt.a, "x.b": tt.b}
				if sub == "x.a" {
					next["x.b"] = 6
				}
				for next["x.a"] < 6 || next["x.b"] < 6 {
					m := p.want("message")
					if got, want := string(m.Data), fmt.Sprintf(`"%d"`, next[m.Channel]); got != want || (m.Sub == "") != (sub == "x.a") {
						p.fatal("%s since %q: heard %v, want %s", sub, tt.since, m, want)
					}
					next[m.Channel]++
				}
				live = append(live, p)
			}
		}
		r.numbers("x.a", 6, 6)
		for _, p := range live {
			p.numbers("x.a", 6, 6)
		}
	})
}

func TestNonsenseSince(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for _, since := range []string{
			"yesterday", "last:", "last:0", "last:-1", "last:1e3", "last:1000001", "-5m", "0s", "5", "ALL", " all",
			"7-1", "7-1-", "7--1", "7-01-a", "7-1-a-b", "7-18446744073709551616-a", "ZZ-1-a", "10m ago",
		} {
			p.refused(wire.CodeBadRequest, `{"op":"subscribe","channel":"x","since":%q}`, since)
		}
		p.refused(wire.CodeBadFrame, `{"op":"subscribe","channel":"x","since":7}`)
		p.reply(`{"op":"subscribe","channel":"x"}`)
		r.publish("x", "live")
		p.message("x", `"live"`)
	})
}

func TestSubscriptionsAreBounded(t *testing.T) {
	o := longwire.Options{Open: true, MaxSubscriptions: 3}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for _, c := range []string{"a", "b.*", "c"} {
			p.reply(`{"op":"subscribe","channel":%q}`, c)
		}
		p.refused(wire.CodeForbidden, `{"op":"subscribe","channel":"d"}`)
		p.refused(wire.CodeAlreadySubscribed, `{"op":"subscribe","channel":"b.*"}`)
		p.reply(`{"op":"unsubscribe","channel":"a"}`)
		p.refused(wire.CodeNotSubscribed, `{"op":"unsubscribe","channel":"a"}`)
		p.reply(`{"op":"subscribe","channel":"d"}`)
		r.publish("d", "1")
		p.message("d", `"1"`)
		r.publish("a", "1")
		p.silent()
	})
}

func TestBadNames(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for _, name := range []string{"", ".", "a.", ".a", "a..b", "a b", "ä", "a/b", "a.>.b", "a*", "a.b>", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17", "a\\u0000"} {
			p.refused(wire.CodeBadChannel, `{"op":"subscribe","channel":"%s"}`, name)
			p.refused(wire.CodeBadChannel, `{"op":"publish","channel":"%s","data":1}`, name)
		}
		for _, name := range []string{"*", ">", "a.*", "a.>"} {
			p.refused(wire.CodeBadChannel, `{"op":"publish","channel":"%s","data":1}`, name)
			p.reply(`{"op":"subscribe","channel":"%s"}`, name)
			p.reply(`{"op":"unsubscribe","channel":"%s"}`, name)
		}
	})
}

// TestOrder publishes to several channels at once, from several goroutines and a
// session. What one session hears is in the order of the positions, for each of its
// subscriptions; what matches two of them comes twice.
func TestOrder(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p, q := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		for _, c := range []string{"a.1", "a.2", "a.*", "b"} {
			p.reply(`{"op":"subscribe","channel":%q}`, c)
		}
		var wg sync.WaitGroup
		const each = 40
		for _, c := range []string{"a.1", "a.2", "b"} {
			wg.Go(func() { r.numbers(c, 1, each) })
		}
		for i := range each {
			q.say(`{"op":"publish","channel":"b","data":%d}`, i)
		}
		wg.Wait()
		last, seen := map[string]int{}, map[string]int{}
		for range 2*2*each + 2*each {
			m := p.want("message")
			var n int
			fmt.Sscan(number(m.Position), &n)
			for sub, at := range last {
				if at > n || at == n && sub == m.Sub {
					p.fatal("heard %v behind number %d", m, at)
				}
			}
			last[m.Sub] = n
			seen[m.Channel+" "+m.Sub]++
		}
		for what, n := range map[string]int{"a.1 ": each, "a.2 ": each, "b ": 2 * each, "a.1 a.*": each, "a.2 a.*": each} {
			if seen[what] != n {
				t.Errorf("%q came %d times, want %d", what, seen[what], n)
			}
		}
		p.silent()
	})
}
