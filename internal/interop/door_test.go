package interop

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/testcert"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

// beat is the heartbeat of the paths that have a quick one. The proxies in front
// of them give up after hasty.
const beat = 300 * time.Millisecond

// A door is a server of plain doors:
//
//	/echo, /loop   WebSocket, messages are sent back; by goroutines and on the loop
//	/chat          the same for those who speak the subprotocol chat
//	/bye?code=&reason=&text=   WebSocket or stream, closed by the server after a message
//	/beat          WebSocket or stream with quick heartbeats, silent by itself
//	/deaf          WebSocket with quick heartbeats, and little patience
//	/events        SSE: the events that the test wants, {"id":,"event":,"data":}
//	/again         SSE: one event and the end, again and again
//	/talk          stream whose client can talk back by POST; what it says is sent to it
//	/say?tag=      POST: sends the body to the connection that was opened with ?tag=
//	/end?tag=      answers how that connection ended, as soon as it has
type door struct {
	url    string // http://127.0.0.1:… or https://…
	engine *longwire.Engine

	mu sync.Mutex
	// Guarded by mu.
	tagged map[string]*tagged
}

// tagged is a connection that a test knows by a name, maybe before it exists.
type tagged struct {
	opened, closed chan struct{}
	conn           *longwire.Conn  // set before opened is closed
	end            *longwire.Close // set before closed is closed
}

func openDoor(t testing.TB, secure bool) *door {
	t.Helper()
	log := &lockedBuffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	engine, err := longwire.NewEngine(&longwire.EngineOptions{Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := longwire.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{url: "http://" + ln.Addr().String(), engine: engine, tagged: map[string]*tagged{}}
	srv := &http.Server{
		Handler:   d.routes(logger),
		ErrorLog:  slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{NextProtos: []string{"h2", "http/1.1", "http/1.0"}}, // net/http leaves the last out
	}
	serve := func() error { return srv.Serve(ln) }
	if secure {
		d.url = "https://" + ln.Addr().String()
		cert, key := certFiles(t)
		serve = func() error { return srv.ServeTLS(ln, cert, key) }
	}
	served := make(chan error, 1)
	go func() { served <- serve() }() // the cleanup waits for it
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(engine.Close(ctx), srv.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", log)
		}
	})
	return d
}

// certFiles returns the names of files with a certificate for 127.0.0.1 and its key.
func certFiles(t testing.TB) (cert, key string) {
	t.Helper()
	c, k := testcert.PEM(t)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(os.WriteFile(cert, c, 0o600), os.WriteFile(key, k, 0o600)); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (d *door) routes(log *slog.Logger) http.Handler {
	echo := func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) }
	sockets := func(p *longwire.Plain, h *ws.Handler) http.Handler {
		h.Acceptor, h.Engine, h.Log = p, d.engine, log
		return h
	}
	streams := func(p *longwire.Plain, h *stream.Handler) http.Handler {
		h.Acceptor, h.Engine, h.Log = p, d.engine, log
		h.Retry = 100 * time.Millisecond
		return h
	}
	either := func(p *longwire.Plain, after time.Duration) http.Handler {
		s, w := streams(p, &stream.Handler{PingAfter: after}), sockets(p, &ws.Handler{PingAfter: after})
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				w.ServeHTTP(rw, r)
				return
			}
			s.ServeHTTP(rw, r)
		})
	}
	events := []*stream.Encoder{free}
	mux := http.NewServeMux()
	mux.Handle("/echo", sockets(d.plain(nil, echo, false), &ws.Handler{}))
	mux.Handle("/loop", sockets(d.plain(nil, echo, true), &ws.Handler{}))
	mux.Handle("/chat", sockets(d.plain(nil, echo, false), &ws.Handler{Subprotocols: []string{"chat"}}))
	mux.Handle("/deaf", sockets(d.plain(nil, nil, false), &ws.Handler{PingAfter: beat, DeadAfter: 2 * beat}))
	mux.Handle("/bye", either(d.plain(bye, nil, false), 0))
	mux.Handle("/beat", either(d.plain(nil, echo, false), beat))
	mux.Handle("/events", streams(d.plain(nil, nil, false), &stream.Handler{Encoders: events}))
	mux.Handle("/again", streams(d.plain(again, nil, false), &stream.Handler{Encoders: events}))
	mux.Handle("/talk", streams(d.plain(nil, echo, false), &stream.Handler{Upstream: true}))
	mux.HandleFunc("POST /say", d.say)
	mux.HandleFunc("GET /end", d.tellEnd)
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><title>page</title>")
	})
	return mux
}

// plain is a door that knows its connections by their tags.
func (d *door) plain(open func(*longwire.Conn), message func(*longwire.Conn, longwire.Kind, []byte), onLoop bool) *longwire.Plain {
	return &longwire.Plain{
		OnLoop:  onLoop,
		Message: message,
		Open: func(c *longwire.Conn) error {
			if tag := query(c).Get("tag"); tag != "" {
				e := d.tag(tag)
				e.conn = c
				close(e.opened)
				c.Tag = e
			}
			if open != nil {
				open(c)
			}
			return nil
		},
		Close: func(c *longwire.Conn, err error) {
			if e, ok := c.Tag.(*tagged); ok {
				e.end, _ = errors.AsType[*longwire.Close](err)
				close(e.closed)
			}
		},
	}
}

func query(c *longwire.Conn) url.Values {
	u, err := url.Parse(c.Info().Target)
	if err != nil {
		return nil
	}
	return u.Query()
}

func (d *door) tag(name string) *tagged {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.tagged[name]
	if e == nil {
		e = &tagged{opened: make(chan struct{}), closed: make(chan struct{})}
		d.tagged[name] = e
	}
	return e
}

func (d *door) say(w http.ResponseWriter, r *http.Request) {
	e := d.tag(r.FormValue("tag"))
	if !await(w, r, e.opened) {
		return
	}
	p, err := io.ReadAll(r.Body)
	if err == nil {
		err = e.conn.Send(longwire.Text, p)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (d *door) tellEnd(w http.ResponseWriter, r *http.Request) {
	e := d.tag(r.FormValue("tag"))
	if !await(w, r, e.closed) {
		return
	}
	json.NewEncoder(w).Encode(map[string]any{
		"code": e.end.Code, "number": e.end.Number, "reason": e.end.Reason, "remote": e.end.Remote,
	})
}

func await(w http.ResponseWriter, r *http.Request, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-r.Context().Done():
	case <-time.After(patience):
		http.Error(w, "nothing happened for too long", http.StatusGatewayTimeout)
	}
	return false
}

// bye says something, and goodbye.
func bye(c *longwire.Conn) {
	q := query(c)
	for _, text := range q["text"] {
		c.Send(longwire.Text, []byte(text))
	}
	number, _ := strconv.ParseUint(q.Get("code"), 10, 16) // none: zero
	c.CloseWith(longwire.Close{Number: uint16(number), Code: wire.CodeNormal, Reason: q.Get("reason")})
}

// again sends the event that follows the one that the client has.
func again(c *longwire.Conn) {
	last, _ := strconv.Atoi(c.Info().Header.Get("Last-Event-Id"))
	c.Send(longwire.JSON, fmt.Appendf(nil, `{"id":"%d","data":"event %d"}`, last+1, last+1))
	c.Close(wire.CodeNormal, "")
}

// free is SSE in which a message says all of its event.
var free = func() *stream.Encoder {
	e := *stream.SSE
	e.Append = func(dst []byte, _ longwire.Kind, p []byte) []byte {
		var ev struct{ ID, Event, Data string }
		if err := json.Unmarshal(p, &ev); err != nil {
			panic(err)
		}
		return stream.AppendEvent(dst, &stream.Event{ID: ev.ID, Name: ev.Event, Data: []byte(ev.Data)})
	}
	return &e
}()

// wsURL turns the scheme of an address into that of WebSocket.
func wsURL(u string) string { return "ws" + strings.TrimPrefix(u, "http") }
