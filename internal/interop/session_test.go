package interop

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestSessions cuts other people's clients, which come back to their sessions and
// miss nothing. EventSource does so by itself, by the id of the last event.
func TestSessions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		command []string
	}{
		{"ws", node(t, "session.mjs", "ws")},
		{"eventsource", node(t, "session.mjs", "eventsource")},
		{"websockets", python(t, "session.py")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := openRoom(t, false)
			x := openCutter(t, host(r.HTTPURL()))
			c := start(t, tt.command[0], append(tt.command[1:], x.url)...)
			(&follower{t: t, r: r, next: c.line}).follow(x)
		})
	}
}

// testBrowserSessions does the same with those of a browser, on a page of the
// server's.
func testBrowserSessions(t *testing.T, b *browser) {
	source, err := os.ReadFile("testdata/follow.mjs")
	if err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(string(source), "export function", "function")
	for _, way := range []string{"WebSocket", "EventSource"} {
		r := openRoom(t, false)
		x := openCutter(t, host(r.HTTPURL()))
		p := b.open(x.url + "/healthz")
		p.eval(script + "\nwindow.lines = []; followBy" + way + "(" + way + ", location.origin, (line) => lines.push(line)); return ''")
		f := &follower{t: t, r: r, next: p.printed()}
		f.follow(x)
		p.show("about:blank")
	}
}

// printed returns the lines that a page has in lines, one after the other.
func (p *page) printed() func() string {
	var lines []string
	return func() string {
		p.b.t.Helper()
		if len(lines) == 0 {
			lines = decode[[]string](p.b.t, p.eval(`
				while (lines.length === 0) await new Promise((yes) => setTimeout(yes, 10));
				return JSON.stringify(lines.splice(0))`))
		}
		line := lines[0]
		lines = lines[1:]
		return line
	}
}

// A follower is a client that prints what testdata/follow.mjs says.
type follower struct {
	t       testing.TB
	r       *room
	next    func() string
	session string
	said    int            // messages were published, to one channel and the other
	heard   map[string]int // the next message of each channel
}

const (
	cuts = 2 // each costs EventSource the seconds that it waits before it comes back
	each = 20
)

// follow publishes, cuts the client, and publishes again.
func (f *follower) follow(x *cutter) {
	f.t.Helper()
	f.heard = map[string]int{"news": 0, "more": 1}
	f.session = f.connected()
	for line := ""; line != "ready"; line = f.next() {
	}
	for range cuts {
		f.publish(each)
		x.cut()
		f.publish(each)
		if session := f.connected(); session != f.session {
			f.t.Fatalf("it has another session, %s after %s", session, f.session)
		}
	}
	f.publish(each)
	for f.heard["news"] < f.said || f.heard["more"] < f.said {
		f.hear(f.next())
	}
}

// publish publishes so many messages, the even ones to news, the odd ones to more.
func (f *follower) publish(n int) {
	f.t.Helper()
	for range n {
		f.r.publish([]string{"news", "more"}[f.said%2], strconv.Itoa(f.said))
		f.said++
	}
}

// connected reads until the client has a link.
func (f *follower) connected() (session string) {
	f.t.Helper()
	for {
		line := f.next()
		if session, ok := strings.CutPrefix(line, "connected "); ok {
			return session
		}
		f.hear(line)
	}
}

// hear checks a message: none is missing, none comes twice.
func (f *follower) hear(line string) {
	f.t.Helper()
	var channel string
	var n int
	if _, err := fmt.Sscanf(line, "message %s %d", &channel, &n); err != nil {
		f.t.Fatalf("it says %s", line)
	}
	if want := f.heard[channel]; n != want {
		f.t.Fatalf("of %s it hears %d, and not %d", channel, n, want)
	}
	f.heard[channel] = n + 2
}
