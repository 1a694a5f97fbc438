package ways

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

// A pollClient polls a session.
type pollClient struct {
	up     upstream
	polls  *http.Client // apart from what is posted
	ctx    context.Context
	cancel context.CancelFunc
	answer uint64
	queue  []string
	end    *End

	mu    sync.Mutex
	conns []net.Conn // guarded by mu: of polls
	stand string     // guarded by mu: the position of the last answer
}

// An answer is what a poll gets.
type answer struct {
	Answer     uint64
	Messages   []json.RawMessage
	Position   string
	Superseded bool
	Close      *struct {
		Code   wire.Code
		Reason string
		Retry  int64
	}
}

func openPoll(t testing.TB, s *Server, o *Options) (Client, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &pollClient{up: upstream{s: s, h: s.HTTPClient()}, ctx: ctx, cancel: cancel}
	c.polls = s.httpClient(func(conn net.Conn) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, conn)
	})
	t.Cleanup(func() { cancel(); c.up.h.CloseIdleConnections(); c.polls.CloseIdleConnections() })
	body := ""
	if !o.Silent {
		body = o.connectFrame() + "\n"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL("/connect", o.Query), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if o.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+o.Bearer)
	}
	resp, err := c.up.h.Do(req)
	if err != nil {
		return nil, err
	}
	return c, c.take(resp)
}

func (c *pollClient) take(resp *http.Response) error {
	if resp.StatusCode >= 300 {
		return refusal(resp)
	}
	body := readAll(resp)
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return fmt.Errorf("an answer that is none: %s: %w", body, err)
	}
	for _, m := range a.Messages {
		c.queue = append(c.queue, string(m))
		c.up.learn(string(m))
	}
	c.answer = a.Answer
	c.mu.Lock()
	c.stand = a.Position
	c.mu.Unlock()
	if a.Superseded {
		c.end = &End{Code: wire.CodeSuperseded}
	}
	if a.Close != nil {
		c.end = &End{Code: a.Close.Code, Reason: a.Close.Reason, Retry: time.Duration(a.Close.Retry) * time.Millisecond}
	}
	return nil
}

// Receive returns a ping for an answer that is empty.
func (c *pollClient) Receive() (string, error) {
	if len(c.queue) == 0 && c.end == nil {
		if err := c.poll(); err != nil {
			return "", err
		}
	}
	switch {
	case len(c.queue) > 0:
		f := c.queue[0]
		c.queue = c.queue[1:]
		return f, nil
	case c.end != nil:
		return "", c.end
	}
	return pingAt(c.Standing()), nil
}

func (c *pollClient) poll() error {
	url := c.up.s.URL("/connect/"+c.up.session, fmt.Sprintf("wait=25s&ack=%d", c.answer))
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Longwire-Secret", c.up.secret)
	resp, err := c.polls.Do(req)
	if err != nil {
		return endOf(err)
	}
	err = c.take(resp)
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return &End{Code: e.Code, Reason: e.Message, Err: err}
	}
	return err
}

func (c *pollClient) Send(frame string) error { return c.up.send(frame) }

func (c *pollClient) Cut() { c.cancel() }

func (c *pollClient) Vanish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		vanish(conn)
	}
}

// Standing returns the position that the last answer told.
func (c *pollClient) Standing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stand
}
