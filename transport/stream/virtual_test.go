package stream

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/internal/park"
)

// What waits is tested in virtual time: net/http over a network in memory, and
// loops over goroutines.

// A bubble is a server in virtual time.
type bubble struct {
	t      *testing.T
	h      *Handler
	ln     *memnet.Listener
	client *http.Client
	conns  chan *memnet.Conn // as they are dialled
}

// virtually runs test with h served, parked and by goroutines.
func virtually(t *testing.T, h func() *Handler, test func(b *bubble)) {
	for _, held := range []bool{false, true} {
		t.Run(map[bool]string{false: "parked", true: "held"}[held], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runBubble(t, h(), held, test) })
		})
	}
}

func runBubble(t *testing.T, h *Handler, held bool, test func(b *bubble)) {
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 1, Goroutines: true})
	if err != nil {
		t.Fatal(err)
	}
	h.Engine, h.Log = e, quiet
	b := &bubble{t: t, h: h, ln: memnet.Listen("127.0.0.1:80"), conns: make(chan *memnet.Conn, 100)}
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := b.ln.Dial(ctx)
		if err == nil {
			b.conns <- c.(*memnet.Conn)
		}
		return c, err
	}}
	b.client = &http.Client{Transport: tr}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if held {
			w = shy{w}
		}
		route(h, w, r)
	})}
	done := make(chan struct{})
	go func() { srv.Serve(park.WrapListener(b.ln, nil)); close(done) }()
	test(b)
	if err := h.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	tr.CloseIdleConnections()
	srv.Shutdown(t.Context())
	<-done
	if err := e.Close(t.Context()); err != nil {
		t.Errorf("engine: %v", err)
	}
}

func (b *bubble) do(method, path, body string, header ...string) *http.Response {
	r, err := http.NewRequestWithContext(b.t.Context(), method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body == "" {
		r.Body = nil
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

func (b *bubble) open() (link, secret string) {
	resp := b.do("POST", "/", "")
	body := bodyOf(b.t, resp)
	parts := strings.Split(body, `"`)
	return parts[3], parts[7]
}

func (b *bubble) poll(link, secret, query string) *http.Response {
	return b.do("GET", "/?link="+link+query, "", "Longwire-Secret: "+secret)
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// took runs f and checks how long it took, give or take a tick.
func took(t *testing.T, want time.Duration, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if got := time.Since(begin); got < want || got > want+50*time.Millisecond {
		t.Errorf("took %v, want %v", got, want)
	}
}
