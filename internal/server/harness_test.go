package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	wsframe "github.com/longwire/longwire/internal/frame"
)

// patience is for tests that would otherwise hang.
const patience = 20 * time.Second

// A running is a server under test, on ports of its own.
type running struct {
	*Server
	t    testing.TB
	log  *lockedBuffer
	stop func() // ends it and waits; may be called again
	err  error  // what Run returned
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a server. Nil options mean both ports on loopback.
func start(t testing.TB, o *Options) *running {
	t.Helper()
	if o == nil {
		o = &Options{HTTP: "127.0.0.1:0", TCP: "127.0.0.1:0"}
	}
	r := &running{t: t, log: &lockedBuffer{}}
	o.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	srv, err := New(ctx, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	r.Server = srv
	ended := make(chan struct{})
	go func() { // stop waits for it
		defer close(ended)
		r.err = srv.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	}
	t.Cleanup(func() {
		r.stop()
		http.DefaultClient.CloseIdleConnections()
		insecure.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the server's log:\n%s", r.log)
		}
	})
	return r
}

// insecure trusts any certificate: tests make their own.
var insecure = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
}}

// subscribers waits until a channel has so many.
func (r *running) subscribers(channel string, want int) {
	r.t.Helper()
	waitFor(r.t, func() bool { return r.node.Subscribers(channel) == want })
}

// waitFor polls for what no event tells.
func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

// A frame is any frame of the server, and any answer.
type frame struct {
	Op          string
	ID          int
	Channel     string
	Position    string
	Data        json.RawMessage
	Data64      string
	Type        string
	Time        string
	Code        string
	Message     string
	Reason      string
	Retry       *int
	Subscribers *int
}

func parseFrame(t testing.TB, p []byte) (f frame) {
	t.Helper()
	if err := json.Unmarshal(p, &f); err != nil {
		t.Fatalf("not a frame: %v: %.300q", err, p)
	}
	return f
}

// post publishes and returns the answer.
func (r *running) post(channel, contentType, body string) frame {
	r.t.Helper()
	status, _, answer := r.do("POST", "/channels/"+channel, body, "Content-Type", contentType)
	if status != http.StatusOK {
		r.t.Fatalf("publishing: status %d: %s", status, answer)
	}
	return parseFrame(r.t, answer)
}

// do sends a request and reads the whole answer.
func (r *running) do(method, path, body string, header ...string) (int, http.Header, []byte) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.HTTPURL()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := insecure.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, p
}

// A peer is a client on one connection that reads frames.
type peer struct {
	t    testing.TB
	name string
	conn io.Closer
	next func() (string, error) // the next frame, as it came
	send func(frame string)     // nil if the way in cannot
}

// frame returns the next frame that is no heartbeat.
func (p *peer) frame() frame {
	p.t.Helper()
	for {
		s, err := p.next()
		if err != nil {
			p.t.Fatalf("%s: %v", p.name, err)
		}
		if f := parseFrame(p.t, []byte(s)); f.Op != "ping" {
			return f
		}
	}
}

// ends reads to the end, and returns the last frame before.
func (p *peer) ends() (last string) {
	p.t.Helper()
	for {
		s, err := p.next()
		if err != nil {
			if err != io.EOF {
				p.t.Errorf("%s: it ended with %v", p.name, err)
			}
			return last
		}
		last = s
	}
}

func (r *running) dialTCP() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.TCPAddr())
	if err != nil {
		r.t.Fatal(err)
	}
	if r.tls != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return c
}

// tcp is a client that speaks lines.
func (r *running) tcpPeer() *peer {
	r.t.Helper()
	c := r.dialTCP()
	br := bufio.NewReader(c)
	return &peer{t: r.t, name: "tcp", conn: c, next: func() (string, error) { return line(br) },
		send: func(f string) {
			if _, err := io.WriteString(c, f+"\n"); err != nil {
				r.t.Error(err)
			}
		}}
}

// line reads a whole line, without its end.
func line(br *bufio.Reader) (string, error) {
	s, err := br.ReadString('\n')
	if err == io.EOF && s != "" {
		err = io.ErrUnexpectedEOF
	}
	return strings.TrimSuffix(s, "\n"), err
}

// streamPeer reads NDJSON, or SSE if accept says so. A close event of SSE is
// returned as a close frame.
func (r *running) streamPeer(channels, accept string) *peer {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", r.HTTPURL()+"/channels/"+channels, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := insecure.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(got, accept) {
		r.t.Fatalf("status %s, Content-Type %q", resp.Status, got)
	}
	br := bufio.NewReader(resp.Body)
	p := &peer{t: r.t, name: accept, conn: resp.Body, next: func() (string, error) { return line(br) }}
	if accept == "text/event-stream" {
		p.next = func() (string, error) { return sseEvent(br) }
	}
	return p
}

// sseEvent reads the next event that has data.
func sseEvent(br *bufio.Reader) (string, error) {
	name, data := "", ""
	for {
		s, err := line(br)
		field, value, _ := strings.Cut(s, ": ")
		switch {
		case err != nil:
			return "", err
		case field == "event":
			name = value
		case field == "data":
			data = value
		case s == "" && name == "close":
			return `{"op":"close",` + data[1:], nil
		case s == "" && data != "":
			return data, nil
		}
	}
}

// wsPeer is a WebSocket client. A Close frame is returned as a close frame
// with its number as code.
func (r *running) wsPeer(path string) *peer {
	r.t.Helper()
	c, resp := r.upgrade(path)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		r.t.Fatalf("status %s", resp.Status)
	}
	var in wsframe.Reader
	var p []byte
	closed := false
	next := func() (string, error) {
		for {
			ev, n, err := in.Next(p)
			p = p[n:]
			switch {
			case err != nil:
				return "", err
			case ev.Op == wsframe.Text:
				return string(ev.Data), nil
			case ev.Op == wsframe.Close:
				c.Write(wsframe.AppendMaskedClose(nil, ev.Code, "", rand.Uint32()))
				closed = true
				return fmt.Sprintf(`{"op":"close","code":"%d","reason":%q}`, ev.Code, ev.Data), nil
			case ev.Op != wsframe.None:
				continue
			}
			buf := make([]byte, 16<<10)
			n, err = c.Read(buf)
			p = append(p[:len(p):len(p)], buf[:n]...)
			if n == 0 && err != nil {
				if err == io.EOF && !closed {
					err = io.ErrUnexpectedEOF
				}
				return "", err
			}
		}
	}
	return &peer{t: r.t, name: "ws " + path, conn: c, next: next, send: func(f string) {
		if _, err := c.Write(wsframe.AppendMasked(nil, wsframe.Text, rand.Uint32(), []byte(f))); err != nil {
			r.t.Error(err)
		}
	}}
}

// dialHTTP opens a connection to speak HTTP/1.1 on.
func (r *running) dialHTTP() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimPrefix(r.HTTPURL(), "http://"), "https://"))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.tls != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return c
}

// upgrade asks for a WebSocket.
func (r *running) upgrade(path string, header ...string) (io.ReadWriteCloser, *http.Response) {
	r.t.Helper()
	c := r.dialHTTP()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, c.RemoteAddr(), strings.Join(header, ""))
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return struct {
		io.Reader
		io.Writer
		io.Closer
	}{br, c, c}, resp
}
