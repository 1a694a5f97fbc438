package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/longwire/longwire/wire"
)

// streamWay is a session whose frames come down one response, as Server-Sent Events
// or NDJSON (docs/protocol.md, section 5.4.1).
type streamWay struct {
	httpWay
	sse bool
}

func (w *streamWay) open(ctx context.Context, g *greeting) (link, error) {
	if err := w.posts.mayResume(g.session); err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodGet, w.addr.connectURL(""), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/x-ndjson")
	if w.sse {
		req.Header.Set("Accept", "text/event-stream")
	}
	if g.token != "" {
		req.Header.Set("Authorization", "Bearer "+g.token)
	}
	if g.session != "" {
		// As an EventSource says it, without a position: each subscription has its own.
		req.Header.Set("Last-Event-ID", "/"+g.session+"."+g.secret)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	resp, err := w.do(ctx, req.WithContext(life), cancel)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		return nil, refusal(resp)
	}
	l := newStreamLink(resp.Body, cancel, w.sse)
	l.up = upstream{way: &w.httpWay, life: life}
	return l, nil
}

type streamLink struct {
	body   io.ReadCloser
	cancel context.CancelFunc
	lines  *lineReader
	events *eventReader // nil for NDJSON
	up     upstream
}

func newStreamLink(body io.ReadCloser, cancel context.CancelFunc, sse bool) *streamLink {
	l := &streamLink{body: body, cancel: cancel}
	l.lines = newLineReader(newPatient(body, wire.DeadAfter, l.close))
	if sse {
		l.events = &eventReader{lines: l.lines}
	}
	return l
}

func (l *streamLink) send(frames [][]byte) error { return l.up.send(frames) }

func (l *streamLink) receive() ([]byte, error) {
	for {
		p, err := l.next()
		if err != nil {
			return nil, err
		}
		if len(p) > 0 {
			return p, l.introduced(p)
		}
	}
}

// introduced takes from the first frame what it needs for talking back.
func (l *streamLink) introduced(p []byte) error {
	if l.up.secret != "" {
		return nil
	}
	f, err := parseFrame(p)
	if err != nil || f.Op != wire.OpConnected {
		return err
	}
	l.up.secret = f.Secret
	l.up.way.posts.begin(f.Session)
	return nil
}

func (l *streamLink) next() ([]byte, error) {
	if l.events == nil {
		return l.lines.next()
	}
	ev, err := l.events.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, &wire.Error{Code: wire.CodeLost, Retry: l.events.retry} // as EventSource does
	case err != nil:
		return nil, err
	case ev.name == "close":
		return nil, closeEvent(ev.data)
	case ev.name != "":
		return nil, nil // of a newer server
	case ev.data == nil:
		return pingAt(eventPosition(ev.id)), nil
	}
	return ev.data, nil
}

// eventPosition returns the position in an event's id, which is POSITION/SESSION.SECRET.
func eventPosition(id string) string {
	position, _, _ := bytes.Cut([]byte(id), []byte{'/'})
	return string(position)
}

// pingAt returns the frame of a heartbeat that came in another form.
func pingAt(position string) []byte { return wire.AppendPing(nil, position) }

func closeEvent(data []byte) error {
	var f wire.ServerFrame
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("client: the server closed, but did not say why: %w", err)
	}
	f.Op = wire.OpClose
	return f.Err()
}

func (l *streamLink) bye() {} // there is no goodbye over HTTP

func (l *streamLink) close() {
	l.cancel()
	l.body.Close()
}
