package ws

import (
	"strings"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

func TestEcho(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			ended := make(closings, 1)
			p := echo(mode.onLoop)
			p.Close = ended.hook
			c := dial(t, serve(t, &Handler{Acceptor: p}, mode.secure), masked(frame.Text, "pipelined"))
			c.want(`text "pipelined"`)
			c.send(frame.Text, "hello")
			c.send(frame.Binary, "\xff\x00")
			c.want(`text "hello"`, `binary "\xff\x00"`)
			c.send(frame.Ping, "p")
			c.want(`pong "p"`)
			c.write(closeFrame(1000, "bye"))
			c.want(`close 1000 "bye"`, "end")
			if got := ended.next(t); got.Code != wire.CodeNormal || got.Number != 1000 || got.Reason != "bye" || !got.Remote {
				t.Errorf("Close heard %+v", got)
			}
		})
	}
}

var modes = []struct {
	name           string
	onLoop, secure bool
}{
	{"ws on the loop", true, false},
	{"ws", false, false},
	{"wss on the loop", true, true},
	{"wss", false, true},
}

func TestInfo(t *testing.T) {
	for _, secure := range []bool{false, true} {
		infos := make(chan *longwire.LinkInfo, 1)
		p := &longwire.Plain{Open: func(c *longwire.Conn) error { infos <- c.Info(); return nil }}
		s := serve(t, &Handler{Acceptor: p, Subprotocols: []string{"x", "y"}}, secure)
		c := dial(t, s, nil, "Sec-WebSocket-Protocol: z, y", "Authorization: secret", "X-A: 1", "x-a: 2")
		i := <-infos
		if i.Transport != "ws" || i.Target != "/chat?room=1" || i.Protocol != "y" || (i.TLS != nil) != secure {
			t.Errorf("info %+v", i)
		}
		if got, want := string(i.Header), "Authorization: secret\nX-A: 1\nX-A: 2\n"; got != want {
			t.Errorf("header %q, want %q", got, want)
		}
		if got, want := i.Remote.String(), c.conn.LocalAddr().String(); got != want {
			t.Errorf("remote %s, want %s", got, want)
		}
		if got, want := i.Local.String(), strings.TrimPrefix(strings.TrimPrefix(s.URL, "http://"), "https://"); got != want {
			t.Errorf("local %s, want %s", got, want)
		}
		if got := c.resp.Header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != "y" {
			t.Errorf("Sec-WebSocket-Protocol %q", got)
		}
		c.conn.Close()
	}
}
