package ways

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A streamClient reads a response that goes on, and sends by POST.
type streamClient struct {
	up     upstream
	conn   net.Conn // the response's
	header http.Header
	body   io.ReadCloser
	in     *bufio.Reader
	sse    bool
	cancel context.CancelFunc

	mu sync.Mutex
	id string // guarded by mu: the last event id
}

func openSSE(t testing.TB, s *Server, o *Options) (Client, error) {
	return openStream(t, s, o, "/connect", "text/event-stream")
}

func openNDJSON(t testing.TB, s *Server, o *Options) (Client, error) {
	return openStream(t, s, o, "/connect", "application/x-ndjson")
}

// Read opens a stream that reads channels only, at a path of the server.
func Read(t testing.TB, s *Server, path, query, accept, lastID string) (Client, error) {
	c, err := stream(t, s, path, query, accept, lastID, "")
	if err != nil {
		return nil, err
	}
	return c, nil
}

func openStream(t testing.TB, s *Server, o *Options, path, accept string) (Client, error) {
	id := ""
	if r := o.Resume; r != nil {
		id = r.Position + "/" + r.Session + "." + r.Secret
	}
	c, err := stream(t, s, path, o.Query, accept, id, cmp.Or(o.Bearer, o.Token))
	if err != nil {
		return nil, err
	}
	return c, nil
}

func stream(t testing.TB, s *Server, path, query, accept, lastID, token string) (*streamClient, error) {
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL(path, query), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	var conn net.Conn
	h := s.httpClient(func(c net.Conn) {
		if conn == nil { // the first is the stream's; POSTs use others, except on HTTP/2
			conn = c
		}
	})
	resp, err := h.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	t.Cleanup(func() { cancel(); resp.Body.Close(); h.CloseIdleConnections() })
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		return nil, refusal(resp)
	}
	return &streamClient{
		up: upstream{s: s, h: h}, conn: conn, header: resp.Header, body: resp.Body, in: bufio.NewReader(resp.Body), cancel: cancel,
		sse: strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"),
	}, nil
}

func (c *streamClient) Receive() (string, error) {
	f, err := c.next()
	if err == nil {
		c.up.learn(f)
	}
	return f, err
}

func (c *streamClient) next() (string, error) {
	if !c.sse {
		return nextLine(c.in)
	}
	for {
		event, data, ping, err := c.event()
		if err != nil {
			return "", endOf(err)
		}
		if ping {
			return pingAt(c.LastID()), nil
		}
		if event == "close" {
			return "", closeIn(`{"op":"close",` + data[1:])
		}
		if data != "" {
			return data, nil
		}
	}
}

// pingAt is the frame that a heartbeat in another form stands for.
func pingAt(id string) string {
	at, _, _ := strings.Cut(id, "/")
	return fmt.Sprintf(`{"op":"ping","position":%q}`, at)
}

// event reads one block (WHATWG HTML, section 9.2.6).
func (c *streamClient) event() (event, data string, ping bool, err error) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", "", false, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			return event, data, ping, nil
		case name == "":
			ping = true // a comment
		case name == "event":
			event = value
		case name == "data":
			data += value
		case name == "id":
			c.mu.Lock()
			c.id = value
			c.mu.Unlock()
		}
	}
}

// LastID returns the last event id of an event stream.
func (c *streamClient) LastID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

func (c *streamClient) Send(frame string) error { return c.up.send(frame) }

// Header returns the response's header.
func (c *streamClient) Header() http.Header { return c.header }

func (c *streamClient) Cut() { c.cancel() }

func (c *streamClient) Vanish() { vanish(c.conn) }

// An upstream posts frames of a session.
type upstream struct {
	s *Server
	h *http.Client

	mu sync.Mutex
	// Guarded by mu.
	session, secret string
}

// learn notes id and secret from a connected frame.
func (u *upstream) learn(frame string) {
	var f struct{ Session, Secret string }
	if !strings.HasPrefix(frame, `{"op":"connected"`) || json.Unmarshal([]byte(frame), &f) != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.session, u.secret = f.Session, f.Secret
}

func (u *upstream) send(frame string) error {
	u.mu.Lock()
	session, secret := u.session, u.secret
	u.mu.Unlock()
	return u.s.Post(u.h, session, secret, 0, frame)
}

// Post posts frames of a session, the first of which has the number seq; zero is none.
func (s *Server) Post(h *http.Client, session, secret string, seq uint64, frames string) error {
	req, err := http.NewRequest(http.MethodPost, s.URL("/connect/"+session, ""), strings.NewReader(frames+"\n"))
	if err != nil {
		return err
	}
	req.Header.Set("Longwire-Secret", secret)
	req.Header.Set("Content-Type", "application/x-ndjson")
	if seq > 0 {
		req.Header.Set("Longwire-Seq", strconv.FormatUint(seq, 10))
	}
	resp, err := h.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return refusal(resp)
	}
	readAll(resp)
	return nil
}

func readAll(resp *http.Response) string {
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return fmt.Sprint(string(b), " and then ", err)
	}
	return string(b)
}
