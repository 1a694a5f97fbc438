package ws

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

func TestWayTakes(t *testing.T) {
	for _, tt := range []struct {
		method, upgrade string
		want            bool
	}{
		{"GET", "websocket", true},
		{"GET", "h2c, WebSocket", true},
		{"POST", "websocket", true},
		{"GET", "h2c", false},
		{"GET", "", false},
	} {
		r := httptest.NewRequest(tt.method, "/connect", nil)
		if tt.upgrade != "" {
			r.Header.Set("Upgrade", tt.upgrade)
		}
		if got := Way.Takes(r); got != tt.want {
			t.Errorf("%s, Upgrade %q: %t", tt.method, tt.upgrade, got)
		}
	}
}

func TestWay(t *testing.T) {
	h := Way.Handler(&longwire.WayOptions{
		Acceptor: echo(true), Engine: newEngine(t, nil), Node: &longwire.Options{MaxMessage: 1000, Log: quiet},
	}).(*Handler)
	s := serve(t, h, false)
	for offer, want := range map[string]int{
		"":                           http.StatusSwitchingProtocols,
		"longwire.v1.json":           http.StatusSwitchingProtocols,
		"x, longwire.v1.json":        http.StatusSwitchingProtocols,
		"x":                          http.StatusBadRequest,
		"longwire.v1.proto, graphql": http.StatusBadRequest,
	} {
		r, _ := http.NewRequest("GET", s.URL, nil)
		r.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Origin": {"https://elsewhere.example"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"}}
		if offer != "" {
			r.Header.Set("Sec-WebSocket-Protocol", offer)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("offering %q: %s, want %d", offer, resp.Status, want)
		}
	}
	c := dial(t, s, nil)
	most := strings.Repeat("x", wire.MaxFrame(1000))
	c.send(frame.Text, most)
	c.next()
	c.send(frame.Text, most+"x")
	c.wantClose(wire.CodeTooLarge.CloseCode())
}
