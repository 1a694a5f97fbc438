package ways

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

// A pollClient polls a session.
type pollClient struct {
	up     upstream
	ctx    context.Context
	cancel context.CancelFunc
	answer uint64
	queue  []string
	end    *End
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
	}
}

func openPoll(t testing.TB, s *Server, o *Options) (Client, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &pollClient{up: upstream{s: s, h: s.HTTPClient()}, ctx: ctx, cancel: cancel}
	t.Cleanup(func() { cancel(); c.up.h.CloseIdleConnections() })
	body := ""
	if !o.Silent {
		body = o.connectFrame() + "\n"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url("/connect", o.Query), strings.NewReader(body))
	if err != nil {
		return nil, err
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
	if a.Superseded {
		c.end = &End{Code: wire.CodeSuperseded}
	}
	if a.Close != nil {
		c.end = &End{Code: a.Close.Code, Reason: a.Close.Reason}
	}
	return nil
}

func (c *pollClient) Receive() (string, error) {
	for len(c.queue) == 0 {
		if c.end != nil {
			return "", c.end
		}
		url := c.up.s.url("/connect/"+c.up.session, fmt.Sprintf("wait=25s&ack=%d", c.answer))
		req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		req.Header.Set("Longwire-Secret", c.up.secret)
		resp, err := c.up.h.Do(req)
		if err != nil {
			return "", endOf(err)
		}
		if err := c.take(resp); err != nil {
			return "", err
		}
	}
	f := c.queue[0]
	c.queue = c.queue[1:]
	return f, nil
}

func (c *pollClient) Send(frame string) error { return c.up.send(frame) }

func (c *pollClient) Cut() { c.cancel() }
