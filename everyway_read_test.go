package longwire_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// everyReading runs one body over every way to read without a session.
func everyReading(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, w ways.Reading)) {
	for _, w := range ways.Readings() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { body(t, newRig(t, o), w) })
		})
	}
}

func (r *rig) reads(w ways.Reading, names, query, since string) *peer {
	r.t.Helper()
	p, err := r.tryReads(w, names, query, since)
	if err != nil {
		r.t.Fatalf("%s: %v", w.Name, err)
	}
	return p
}

func (r *rig) tryReads(w ways.Reading, names, query, since string) (*peer, error) {
	r.t.Helper()
	c, err := w.Open(r.t, &r.Server, "/channels/"+names, query, since)
	if err != nil {
		return nil, err
	}
	return r.meet(ways.Way{Name: w.Name, ByToken: true}, c), nil
}

func TestReading(t *testing.T) {
	everyReading(t, openToAll, func(t *testing.T, r *rig, w ways.Reading) {
		r.numbers("a", 1, 2)
		r.numbers("b.x", 3, 3)
		r.numbers("c", 4, 4)
		p := r.reads(w, "a,b.*,d.%3E", "since=all", "")
		p.numbers("a", 1, 2)
		if m := p.message("b.x", `"3"`); m.Sub != "b.*" {
			t.Errorf("heard %v", m)
		}
		q := r.reads(w, "a,c", "", "")
		synctest.Wait()
		r.numbers("d.x.y", 5, 5)
		p.numbers("d.x.y", 5, 5)
		r.numbers("a", 6, 6)
		r.numbers("c", 7, 7)
		p.numbers("a", 6, 6)
		q.numbers("a", 6, 6)
		q.numbers("c", 7, 7)
		p.silent()
		q.silent()
		if n := r.subscribers("a"); n != "2" && w.Name != "reading by poll" {
			t.Errorf("%s subscribers", n)
		}
		p.Cut()
		q.Cut()
		time.Sleep(time.Second)
		if n := r.subscribers("a"); n != "0" {
			t.Errorf("%s subscribers after all have gone", n)
		}
	})
}

// TestReadingGoesOn goes on where another reading was cut, by one token for all that
// is named.
func TestReadingGoesOn(t *testing.T) {
	everyReading(t, openToAll, func(t *testing.T, r *rig, first ways.Reading) {
		for _, then := range ways.Readings() {
			p := r.reads(first, "a,b.*", "", "")
			synctest.Wait()
			r.numbers("a", 1, 2)
			r.numbers("b.x", 3, 4)
			p.numbers("a", 1, 2)
			at := p.numbers("b.x", 3, 4)
			p.Cut()
			r.numbers("b.y", 5, 5)
			r.numbers("other", 6, 6)
			r.numbers("a", 7, 7)
			n := r.reads(then, "a,b.*", "", at)
			n.numbers("b.y", 5, 5)
			n.numbers("a", 7, 7)
			r.numbers("a", 8, 8)
			n.numbers("a", 8, 8)
			every := 25 * time.Second
			if strings.HasSuffix(then.Name, "sse") || strings.HasSuffix(then.Name, "ndjson") {
				every = 15 * time.Second
			}
			at = n.ping(every).Position // also where nothing came: it stands behind all
			n.Cut()
			r.numbers("b.z", 9, 9)
			n = r.reads(first, "a,b.*", "", at)
			n.numbers("b.z", 9, 9)
			n.silent()
			n.Cut()
		}
	})
}

// TestReadingGaps begins at positions that are none of this server's history.
func TestReadingGaps(t *testing.T) {
	everyReading(t, openToAll, func(t *testing.T, r *rig, w ways.Reading) {
		r.numbers("a", 1, 2)
		r.numbers("b", 3, 3)
		p := r.reads(w, "a,b", "", "zzz-1-fnmqo0")
		gaps := map[string]bool{}
		for range 2 {
			f := p.want("gap")
			gaps[f.Channel] = true
			if f.After != "zzz-1-fnmqo0" || f.Position == "" {
				t.Errorf("heard %v", f)
			}
		}
		if !gaps["a"] || !gaps["b"] {
			t.Errorf("gaps of %v", gaps)
		}
		p.numbers("a", 1, 2)
		p.numbers("b", 3, 3)
		r.numbers("b", 4, 4)
		p.numbers("b", 4, 4)
		p.silent()
	})
}

func TestReadingRefused(t *testing.T) {
	everyReading(t, openToAll, func(t *testing.T, r *rig, w ways.Reading) {
		for _, tt := range []struct {
			names, query string
			code         wire.Code
		}{
			{"a..b", "", wire.CodeBadChannel}, {"a,", "", wire.CodeBadChannel}, {"a,a", "", wire.CodeAlreadySubscribed},
			{"a", "since=soon", wire.CodeBadRequest}, {strings.Repeat("a,", 64) + "b", "", wire.CodeBadChannel}, {"a", "x=%zz", wire.CodeBadRequest},
		} {
			if _, err := r.tryReads(w, tt.names, tt.query, ""); wire.CodeOf(err) != tt.code {
				t.Errorf("%s?%s was answered %v, want %s", tt.names, tt.query, err, tt.code)
			}
		}
	})
	everyReading(t, longwire.Options{}, func(t *testing.T, r *rig, w ways.Reading) {
		if _, err := r.tryReads(w, "a", "", ""); wire.CodeOf(err) != wire.CodeForbidden {
			t.Errorf("a node that is not open answered %v", err)
		}
	})
}

// TestReadersCannotSpeak has a WebSocket that reads say something.
func TestReadersCannotSpeak(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		p := r.reads(ways.Readings()[0], "a", "", "")
		p.say(`{"op":"publish","channel":"a","data":1}`)
		p.ended(wire.CodeUnsupportedData)
	})
}

// TestOneAnswer is long-polling without a session.
func TestOneAnswer(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		r.numbers("a", 1, 2)
		poll := func(query, at string, after time.Duration) answered {
			t.Helper()
			begun := time.Now()
			a := r.do("GET", "/channels/a,b?"+query, "", "Longwire-Position", at)
			if d := time.Since(begun); d < after || d > after+time.Second {
				t.Errorf("?%s from %q was answered after %v, want %v", query, at, d, after)
			}
			if a.status != 200 || a.header.Get("Longwire-Position") == "" {
				t.Fatalf("?%s was answered %+v", query, a)
			}
			return a
		}
		a := poll("wait=30s", "", 30*time.Second)
		at := a.header.Get("Longwire-Position")
		if number(at) != "2" || a.body != `{"messages":[],"position":"`+at+"\"}\n" {
			t.Errorf("the answer at the deadline is %+v", a)
		}
		time.AfterFunc(7*time.Second, func() { r.numbers("b", 3, 3) })
		a = poll("wait=30s", at, 7*time.Second)
		if !strings.Contains(a.body, `"channel":"b"`) || number(a.header.Get("Longwire-Position")) != "3" {
			t.Errorf("the answer is %+v", a)
		}
		a = poll("wait=30s", at, 0) // at once: there is something
		if !strings.Contains(a.body, `"channel":"b"`) {
			t.Errorf("the answer is %+v", a)
		}
		a = poll("wait=0&since=all", "", 0)
		if n := strings.Count(a.body, `"op":"message"`); n != 3 {
			t.Errorf("%d messages in %+v", n, a)
		}
		if a = poll("wait=10m", a.header.Get("Longwire-Position"), time.Minute); !strings.Contains(a.body, `"messages":[]`) {
			t.Errorf("the answer is %+v", a)
		}
	})
}

// TestReadingBegins is what everybody who reads is told at once, by a way's own means, so that a cut before the first
// publication loses nothing. Who asks for what is in history stands nowhere before that.
func TestReadingBegins(t *testing.T) {
	everyReading(t, openToAll, func(t *testing.T, r *rig, w ways.Reading) {
		r.numbers("a", 1, 3)
		p := r.reads(w, "a", "", "")
		at := p.begins()
		if number(at) != "3" {
			t.Errorf("it begins at %q", at)
		}
		p.Cut()
		r.numbers("a", 4, 4)
		p = r.reads(w, "a", "", at)
		p.numbers("a", 4, 4)
		p.silent()
		p = r.reads(w, "a", "since=all", "")
		if f, ok := p.any(time.After(time.Second)); !ok || f.Op != "message" {
			t.Errorf("heard %v first", f)
		}
		p.numbers("a", 2, 4)
	})
}

// begins returns the position at which one who reads begins.
func (p *peer) begins() string {
	p.t.Helper()
	switch p.way.Name {
	case "reading by ws":
		return p.ping(0).Position
	case "reading by poll":
		return p.ping(25 * time.Second).Position // an empty answer
	}
	h := p.Client.(interface{ Header() http.Header }).Header()
	at := h.Get("Longwire-Position")
	if strings.HasSuffix(p.way.Name, "sse") && p.lastID() != at || h.Get("Cache-Control") == "" {
		p.fatal("the header is %v, the first id %s", h, p.lastID())
	}
	return at
}
