package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/longwire/longwire/wire"
)

// pollWay is a session by long-polling (docs/protocol.md, section 5.4.3).
type pollWay struct{ httpWay }

func (w *pollWay) open(ctx context.Context, g *greeting) (link, error) {
	if err := w.posts.mayResume(g.session); err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, w.addr.connectURL(""), bytes.NewReader(appendLines(nil, [][]byte{g.frame})))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	resp, err := w.do(ctx, req.WithContext(life), cancel)
	if err != nil {
		return nil, err
	}
	l := &pollLink{cancel: cancel, up: upstream{way: &w.httpWay, life: life}}
	if err := l.take(resp, http.StatusCreated); err != nil {
		cancel()
		return nil, err
	}
	return l, nil
}

// pollFor is how long the server may wait with an answer.
const pollFor = 25 * time.Second

type pollLink struct {
	cancel context.CancelFunc
	up     upstream

	// Owned by receive.
	answer
	taken int // of its messages
}

// An answer is that to one poll.
type answer struct {
	Number     uint64            `json:"answer"`
	Messages   []json.RawMessage `json:"messages"`
	Position   string            `json:"position"`
	Superseded bool              `json:"superseded"`
	Close      *wire.ServerFrame `json:"close"`
}

func (l *pollLink) send(frames [][]byte) error { return l.up.send(frames) }

// receive asks for the next answer once all frames of the last one are processed,
// which is what acknowledges it.
func (l *pollLink) receive() ([]byte, error) {
	for l.taken == len(l.Messages) {
		switch {
		case l.Close != nil:
			l.Close.Op = wire.OpClose
			return nil, l.Close.Err()
		case l.Superseded:
			return nil, &wire.Error{Code: wire.CodeSuperseded}
		}
		if err := l.poll(); err != nil {
			return nil, err
		}
		if len(l.Messages) == 0 && l.Close == nil && !l.Superseded {
			return pingAt(l.Position), nil
		}
	}
	l.taken++
	p := l.Messages[l.taken-1]
	if l.up.secret == "" {
		return p, l.introduced(p)
	}
	return p, nil
}

// introduced takes from the first frame what it needs for what follows.
func (l *pollLink) introduced(p []byte) error {
	f, err := parseFrame(p)
	if err != nil || f.Op != wire.OpConnected {
		return err
	}
	l.up.secret = f.Secret
	l.up.way.posts.begin(f.Session)
	return nil
}

func (l *pollLink) poll() error {
	ctx, cancel := context.WithTimeoutCause(l.up.life, pollFor+wire.DeadAfter-wire.PingAfter,
		wire.Errorf(wire.CodeIdleTimeout, "a poll of %v was not answered", pollFor))
	defer cancel()
	url := fmt.Sprintf("%s?wait=%v&ack=%d", l.up.way.addr.connectURL(l.up.way.posts.session), pollFor, l.Number)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Longwire-Secret", l.up.secret)
	resp, err := l.up.way.http.Do(req)
	if err == nil {
		err = l.take(resp, http.StatusOK)
	}
	if err != nil && ctx.Err() != nil && l.up.life.Err() == nil {
		return context.Cause(ctx)
	}
	return err
}

// take reads an answer.
func (l *pollLink) take(resp *http.Response, want int) error {
	if resp.StatusCode != want {
		return refusal(resp)
	}
	defer resp.Body.Close()
	var a answer
	p, err := io.ReadAll(io.LimitReader(resp.Body, maxFrame+1))
	switch {
	case err != nil:
		return err
	case len(p) > maxFrame:
		return wire.Errorf(wire.CodeTooLarge, "the server's answer has over %d bytes", maxFrame)
	}
	if err := json.Unmarshal(p, &a); err != nil {
		return errors.Join(wire.Errorf(wire.CodeBadFrame, "the server's answer to a poll cannot be understood"), err)
	}
	l.answer, l.taken = a, 0
	return nil
}

func (l *pollLink) bye() {} // there is no goodbye over HTTP

func (l *pollLink) close() { l.cancel() }
