package examples

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A frame is what a server of sessions says, as far as the tests look at it.
type frame struct {
	Op, Channel, Code, Session, Secret string
	ID                                 int
	Data                               json.RawMessage
	Headers                            map[string]string
	event                              string // the id of its event
}

func (f frame) text() string {
	var s string
	_ = json.Unmarshal(f.Data, &s) // what is no string is nothing
	return s
}

// A guest has a session, by some way.
type guest struct {
	t     *testing.T
	name  string
	hears func() frame
	say   func(frame string)
	leave func()
}

const bounded = 20 * time.Second // for tests that would otherwise hang

// next returns the next frame with an op.
func (g *guest) next(op string) frame {
	g.t.Helper()
	for {
		if f := g.hears(); f.Op == op {
			return f
		}
	}
}

func (g *guest) read(p []byte, err error) (f frame) {
	g.t.Helper()
	if err == nil {
		err = json.Unmarshal(p, &f)
	}
	if err != nil {
		g.t.Fatalf("%s hears %q, %v", g.name, p, err)
	}
	return f
}

// byTCP sends its frames as lines.
func byTCP(t *testing.T, name string) *guest {
	t.Helper()
	c, err := net.Dial("tcp", tcpAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(bounded))
	lines := bufio.NewReader(c)
	g := &guest{t: t, name: name, leave: func() { c.Close() }}
	g.hears = func() frame { return g.read(lines.ReadBytes('\n')) }
	g.say = func(frame string) {
		if _, err := c.Write([]byte(frame + "\n")); err != nil {
			t.Error(err)
		}
	}
	return g
}

// byWS has a WebSocket to an address below the server's.
func byWS(t *testing.T, name, path string) *guest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bounded)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, "ws://"+httpAddr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	g := &guest{t: t, name: name, leave: func() { c.CloseNow() }}
	g.hears = func() frame {
		_, p, err := c.Read(ctx)
		if code := websocket.CloseStatus(err); code != -1 {
			return frame{Op: "close", ID: int(code)}
		}
		return g.read(p, err)
	}
	g.say = func(frame string) {
		if err := c.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
			t.Error(err)
		}
	}
	return g
}

// bySSE reads events, and sends its frames by POST. With the id of an event it
// comes back.
func bySSE(t *testing.T, name, path, after string) *guest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bounded)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+httpAddr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewReader(resp.Body)
	g := &guest{t: t, name: name, leave: cancel}
	g.hears = func() frame { return g.readEvent(lines) }
	connected := g.next("connected")
	address, _, _ := strings.Cut(path, "?")
	g.say = func(frame string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+httpAddr+address+"/"+connected.Session, strings.NewReader(frame))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Longwire-Secret", connected.Secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s may not say %s: %s", name, frame, resp.Status)
		}
	}
	return g
}

// readEvent reads an event that is a frame, or the one that ends the stream.
func (g *guest) readEvent(lines *bufio.Reader) (f frame) {
	g.t.Helper()
	kind, id := "", ""
	for {
		line, err := lines.ReadString('\n')
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case err != nil:
			g.t.Fatalf("%s hears %q, %v", g.name, line, err)
		case name == "event":
			kind = value
		case name == "id":
			id = value
		case name == "data":
			f = g.read([]byte(value), nil)
		case name == "" && (f.Op != "" || kind != ""):
			if kind != "" {
				f.Op = kind
			}
			f.event = id
			return f
		}
	}
}
