package park

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// held serves what cannot be taken: a script for each request, whose handler
// has returned when done gets a value.
func held(t testing.TB, g *loop.Group, opened chan<- *script, done chan<- struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { done <- struct{}{} }()
		if _, err := Take(w, r); !errors.Is(err, ErrNotParkable) {
			t.Errorf("take: %v", err)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Middleware", "kept")
		h, err := Hold(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotImplemented)
			return
		}
		if h.RemoteAddr().String() != r.RemoteAddr || h.LocalAddr().String() == "" {
			t.Errorf("addresses %v, %v", h.RemoteAddr(), h.LocalAddr())
		}
		if err := g.Adopt(h, nil, func(_ time.Time, s *loop.Sock) loop.Handler {
			h := newScript(s)
			opened <- h
			return h
		}); err != nil {
			t.Errorf("adopt: %v", err)
			return
		}
		h.Wait()
	})
}

func http2Server(t testing.TB, h http.Handler) string {
	ln := WrapListener(listen(t), nil)
	srv := &http.Server{Handler: h, TLSConfig: serverTLS(t, "h2", "http/1.1"), WriteTimeout: 100 * time.Millisecond}
	serveWith(t, ln.TLS(srv.TLSConfig), srv)
	return "https://" + ln.Addr().String()
}

func http2Client(t testing.TB) *http.Client {
	tr := &http.Transport{TLSClientConfig: clientTLS(tls.VersionTLS13), ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func TestHoldHTTP2(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		opened, done := make(chan *script, 1), make(chan struct{}, 1)
		before := Unparked()[reasonHTTP2]
		url, client := http2Server(t, held(t, g, opened, done)), http2Client(t)

		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 || resp.Header.Get("X-Middleware") != "kept" {
			t.Errorf("%s %v", resp.Proto, resp.Header)
		}
		h := <-opened
		for _, line := range []string{"one\n", "two\n"} {
			on(t, h.s, func() { h.s.Write([]byte(line)) })
			wantRead(t, resp.Body, line)
		}
		big := strings.Repeat("0123456789", 100<<10)
		on(t, h.s, func() { h.s.Write([]byte(big)); h.s.Close(nil, 5*time.Second) })
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != big {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		<-done
		if err := <-h.closed; !errors.Is(err, loop.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if n := Unparked()[reasonHTTP2] - before; n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
}

// A client that goes ends the link, and that lets the handler return.
func TestHoldClientGoes(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		opened, done := make(chan *script, 1), make(chan struct{}, 1)
		url, client := http2Server(t, held(t, g, opened, done)), http2Client(t)
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		h := <-opened
		cancel()
		if err := <-h.closed; !errors.Is(err, io.EOF) {
			t.Errorf("closed: %v", err)
		}
		<-done
	})
}

// A client that does not read does not keep the handler from returning.
func TestHoldStalledClient(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		opened, done := make(chan *script, 1), make(chan struct{}, 1)
		url, client := http2Server(t, held(t, g, opened, done)), http2Client(t)
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		h := <-opened
		full := make(chan struct{})
		on(t, h.s, func() {
			h.s.Write(make([]byte, 8<<20)) // more than HTTP/2 lets through unread
			h.s.Room(1)
			h.s.Close(errors.New("too slow"), 0)
			close(full)
		})
		<-full
		<-done
		<-h.closed
	})
}

// flushOnly is a middleware's writer that hides all but flushing; hidden even that.
type flushOnly struct{ http.ResponseWriter }

func (f flushOnly) Flush() { f.ResponseWriter.(http.Flusher).Flush() }

func TestHoldHTTP1(t *testing.T) {
	g := newGroup(t, nil)
	opened, done := make(chan *script, 1), make(chan struct{}, 1)
	ln := WrapListener(listen(t), nil)
	inner := held(t, g, opened, done)
	serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hidden" {
			inner.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		} else {
			inner.ServeHTTP(flushOnly{w}, r)
		}
	}))
	c := dial(t, ln.Addr(), nil)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	h := <-opened
	on(t, h.s, func() { h.s.Write([]byte("hello")) })
	wantRead(t, resp.Body, "hello")
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	if err := <-h.closed; !errors.Is(err, io.EOF) {
		t.Errorf("closed: %v", err)
	}
	<-done

	hidden, err := http.Get("http://" + ln.Addr().String() + "/hidden")
	if err != nil {
		t.Fatal(err)
	}
	hidden.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	<-done
	if hidden.StatusCode != http.StatusNotImplemented {
		t.Errorf("a writer that cannot flush: %s", hidden.Status)
	}
}
