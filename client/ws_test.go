package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/wire"
)

// onWS runs a test with a WebSocket's client side and the server's end of its connection.
func onWS(t *testing.T, f func(t *testing.T, l *wsLink, server *memnet.Conn, woken *int)) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memnet.Pipe()
		woken := 0
		l := newWSLink(near, func() { woken++ })
		f(t, l, far, &woken)
		l.close()
		far.Close()
	})
}

func TestWSReceive(t *testing.T) {
	onWS(t, func(t *testing.T, l *wsLink, server *memnet.Conn, woken *int) {
		large := strings.Repeat("x", 100_000)
		out := frame.AppendMessage(nil, frame.Text, []byte("one"))
		out = frame.AppendMessage(out, frame.Ping, []byte("first"))
		out = frame.AppendMessage(out, frame.Ping, []byte("second"))
		out = frame.AppendFragments(out, frame.Text, []byte(large), 1000)
		out = frame.AppendMessage(out, frame.Text, []byte("two"))
		out = frame.AppendClose(out, 4000, "restart")
		go func() {
			for len(out) > 0 {
				n := min(len(out), 777)
				server.Write(out[:n])
				out = out[n:]
			}
		}()
		for _, want := range []string{"one", large, "two"} {
			if p, err := l.receive(); err != nil || string(p) != want {
				t.Fatalf("%.20q, %v; want %.20q", p, err, want)
			}
		}
		if _, err := l.receive(); wire.CodeOf(err) != wire.CodeDraining || !strings.Contains(err.Error(), "restart") {
			t.Error(err)
		}
		if *woken != 2 {
			t.Errorf("asked %d times for a pong", *woken)
		}
		go func() {
			l.send([][]byte{[]byte("up"), []byte("upper")})
			l.send(nil)
			l.bye()
			l.close()
		}()
		var got []string
		r := frame.Reader{Config: &frame.Config{Server: true}}
		p, err := io.ReadAll(server)
		if err != nil {
			t.Fatal(err)
		}
		for {
			ev, n, err := r.Next(p)
			if p = p[n:]; err != nil {
				t.Fatal(err)
			}
			if ev.Op == frame.None {
				break
			}
			got = append(got, string(ev.Data))
			if ev.Op == frame.Close && ev.Code != frame.CloseNormal {
				t.Errorf("goodbye with %d", ev.Code)
			}
		}
		if want := "second,up,upper,"; strings.Join(got, ",") != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

func TestWSBadServer(t *testing.T) {
	for name, tt := range map[string]struct {
		send []byte
		want wire.Code
	}{
		"masked":       {frame.AppendMasked(nil, frame.Text, 1, []byte("x")), wire.CodeProtocolError},
		"bad text":     {frame.AppendMessage(nil, frame.Text, []byte("\xff")), wire.CodeBadUTF8},
		"large":        {frame.AppendHeader(nil, frame.Header{Fin: true, Op: frame.Text, Length: maxFrame + 1}), wire.CodeTooLarge},
		"application":  {frame.AppendClose(nil, 3000, "bye"), wire.CodeNormal},
		"binary first": {append(frame.AppendMessage(nil, frame.Binary, []byte("x")), frame.AppendClose(nil, 1001, "")...), wire.CodeGoingAway},
	} {
		t.Run(name, func(t *testing.T) {
			onWS(t, func(t *testing.T, l *wsLink, server *memnet.Conn, _ *int) {
				server.Write(tt.send)
				if p, err := l.receive(); wire.CodeOf(err) != tt.want {
					t.Errorf("%q, %v; want %s", p, err, tt.want)
				}
			})
		})
	}
}

// A link from which nothing comes is dead after 35 s, but only while somebody
// listens.
func TestIdle(t *testing.T) {
	onWS(t, func(t *testing.T, l *wsLink, server *memnet.Conn, _ *int) {
		begin := time.Now()
		server.Write(frame.AppendMessage(nil, frame.Text, []byte("x")))
		if _, err := l.receive(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // the hook is slow
		go func() {
			time.Sleep(30 * time.Second)
			server.Write(frame.AppendMessage(nil, frame.Ping, nil))
		}()
		_, err := l.receive()
		if took := time.Since(begin); wire.CodeOf(err) != wire.CodeIdleTimeout || took != time.Hour+65*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestUpgradeRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    wire.Code
	}{
		"problem": {func(w http.ResponseWriter, _ *http.Request) {
			wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeOverloaded, Retry: 3 * time.Second})
		}, wire.CodeOverloaded},
		"proxy":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, wire.CodeUnavailable},
		"page":     {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, wire.CodeBadRequest},
		"redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, wire.CodeBadRequest},
		"wrong key": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Sec-WebSocket-Accept", "x")
			w.WriteHeader(101)
		}, wire.CodeBadUpgrade},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			_, err := Dial(t.Context(), srv.URL, nil)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if tt.want == wire.CodeOverloaded && e.Retry != 3*time.Second {
				t.Errorf("retry %v", e.Retry)
			}
		})
	}
}

func TestAppendPongKeepsNothing(t *testing.T) {
	l := &wsLink{}
	if got := l.appendPong(nil); len(got) != 0 {
		t.Errorf("%q", got)
	}
	l.pong = []byte{}
	if got := l.appendPong(nil); !bytes.HasPrefix(got, []byte{0x8a, 0x80}) || l.pong != nil {
		t.Errorf("%q", got)
	}
}
