package linktest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/linktest"
	"github.com/longwire/longwire/wire"
)

func TestLongPoll(t *testing.T) { linktest.Run(t, longPoll) }

var longPoll = linktest.Way{
	Name: "poll", Transport: "poll", Kinds: []longwire.Kind{longwire.Text, longwire.Binary, longwire.JSON},
	Codes: true, Reasons: true, Posts: true, Target: target, Header: header,
	Leave: wire.CodeLost, Forgets: true,
	Serve: func(t *testing.T, o linktest.Options) func() (linktest.Client, error) {
		addr, _ := serveHTTP(t, streamHandler(t, o), false)
		return func() (linktest.Client, error) {
			c := &pollClient{poster: newPoster(addr, nil)}
			if err := c.open(); err != nil {
				c.Cut()
				return nil, err
			}
			return c, nil
		}
	},
}

// A pollClient fetches its messages one answer after the other.
type pollClient struct {
	*poster
	answer uint64            // the number of the last
	ms     []json.RawMessage // what of it was not received yet
	end    error             // what follows them
}

func (c *pollClient) open() error {
	resp, err := c.do(http.MethodPost, "", "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return problem(resp)
	}
	var o struct{ Link, Secret string }
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		return err
	}
	c.link, c.secret = o.Link, o.Secret
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (c *pollClient) Send(kind longwire.Kind, p []byte) error { return c.post(kind, p) }

func (c *pollClient) Receive() (longwire.Kind, []byte, error) {
	for len(c.ms) == 0 {
		if c.end != nil {
			return 0, nil, c.end
		}
		if err := c.poll(); err != nil {
			return 0, nil, err
		}
	}
	m := c.ms[0]
	c.ms = c.ms[1:]
	return valueOf(m)
}

func (c *pollClient) poll() error {
	resp, err := c.do(http.MethodGet, fmt.Sprintf("&wait=25s&link=%s&ack=%d", c.link, c.answer), "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return problem(resp)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var a struct {
		Answer   uint64
		Messages []json.RawMessage
		Close    json.RawMessage
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	if want := fmt.Sprint(a.Answer); resp.Header.Get("Longwire-Answer") != want {
		return fmt.Errorf("answer %s says of itself that it is %s", resp.Header.Get("Longwire-Answer"), want)
	}
	if a.Answer > c.answer+1 || a.Answer <= c.answer && len(a.Messages) > 0 {
		return fmt.Errorf("answer %d with %d messages follows answer %d", a.Answer, len(a.Messages), c.answer)
	}
	c.answer = a.Answer
	for _, m := range a.Messages {
		c.ms = append(c.ms, bytes.Clone(m))
	}
	if a.Close != nil {
		c.end = closeOf(a.Close)
	}
	return nil
}

// Close only stops asking: there is no other goodbye.
func (c *pollClient) Close() error { c.poster.close(); return nil }

func (c *pollClient) Cut() { c.poster.close() }
