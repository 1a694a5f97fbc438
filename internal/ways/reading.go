package ways

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/longwire/longwire/wire"
)

// A Reading is one way of reading channels without a session.
type Reading struct {
	Name string
	// Open begins to read at a path with a query; since, unless it is empty, is where to
	// begin, told as the way tells it when it comes back.
	Open func(t testing.TB, s *Server, path, query, since string) (Client, error)
}

// Readings is every way of reading.
func Readings() []Reading {
	return []Reading{
		{"reading by ws", func(t testing.TB, s *Server, path, query, since string) (Client, error) {
			return DialWS(t, s, path, and(query, "since", since))
		}},
		{"reading by sse", func(t testing.TB, s *Server, path, query, since string) (Client, error) {
			return Read(t, s, path, query, "text/event-stream", since)
		}},
		{"reading by ndjson", func(t testing.TB, s *Server, path, query, since string) (Client, error) {
			return Read(t, s, path, and(query, "since", since), "application/x-ndjson", "")
		}},
		{"reading by poll", openReadPoll},
	}
}

func and(query, name, value string) string {
	switch {
	case value == "":
		return query
	case query != "":
		query += "&"
	}
	return query + name + "=" + value
}

// A readPoll polls channels: each answer says where the next one is to begin.
type readPoll struct {
	s      *Server
	h      *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	path   string
	query  string // of the first poll; afterwards the position is enough
	at     string
	queue  []string
}

func openReadPoll(t testing.TB, s *Server, path, query, since string) (Client, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &readPoll{s: s, h: s.HTTPClient(), ctx: ctx, cancel: cancel, path: path, query: query, at: since}
	t.Cleanup(func() { cancel(); c.h.CloseIdleConnections() })
	if since == "" {
		return c, c.poll("0") // what is published from now on is not missed
	}
	return c, nil
}

func (c *readPoll) poll(wait string) error {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.s.URL(c.path, and(c.query, "wait", wait)), nil)
	if err != nil {
		return err
	}
	if c.at != "" {
		req.Header.Set("Longwire-Position", c.at)
	}
	resp, err := c.h.Do(req)
	if err != nil {
		return endOf(err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	body := readAll(resp)
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Position == "" || a.Position != resp.Header.Get("Longwire-Position") {
		return fmt.Errorf("an answer that is none: %s, %s: %w", body, resp.Header, err)
	}
	for _, m := range a.Messages {
		c.queue = append(c.queue, string(m))
	}
	c.at, c.query = a.Position, ""
	if a.Close != nil {
		return &End{Code: a.Close.Code, Reason: a.Close.Reason}
	}
	return nil
}

func (c *readPoll) Receive() (string, error) {
	if len(c.queue) == 0 {
		err := c.poll("25s")
		if e, ok := errors.AsType[*wire.Error](err); ok {
			err = &End{Code: e.Code, Reason: e.Message, Err: err}
		}
		if err != nil {
			return "", err
		}
	}
	if len(c.queue) == 0 {
		return pingAt(c.at), nil
	}
	f := c.queue[0]
	c.queue = c.queue[1:]
	return f, nil
}

func (c *readPoll) Send(string) error { return errors.New("ways: who reads cannot speak") }

func (c *readPoll) Cut() { c.cancel() }

func (c *readPoll) Vanish() { c.cancel() }
