package torture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/longwire/longwire/wire"
)

// Streams: a response that goes on, of a session (docs/protocol.md, section 5.4.1) or of channels (5.1), as Server-Sent
// Events or NDJSON.

func openSSE(ctx context.Context, d *dialer, a *asking) (link, error) {
	return openStream(ctx, d, connectURL(d, a), lastEventID(a), true)
}

func openNDJSON(ctx context.Context, d *dialer, a *asking) (link, error) {
	return openStream(ctx, d, connectURL(d, a), lastEventID(a), false)
}

func openReadingSSE(ctx context.Context, d *dialer, a *asking) (link, error) {
	// As an EventSource does: the address says where it began, the id, where it stands.
	if at := position(a.one()); at != "" {
		return openStream(ctx, d, d.channelsURL(a.names, url.Values{"since": {"all"}}), at, true)
	}
	return openStream(ctx, d, d.channelsURL(a.names, url.Values{"since": {a.one()}}), "", true)
}

func openReadingNDJSON(ctx context.Context, d *dialer, a *asking) (link, error) {
	return openStream(ctx, d, d.channelsURL(a.names, url.Values{"since": {a.one()}}), "", false)
}

func connectURL(d *dialer, a *asking) string {
	return d.url("/connect", url.Values{"channel": a.names, "since": {a.one()}})
}

// lastEventID resumes a session, if there is one to resume, from a position.
func lastEventID(a *asking) string {
	at := position(a.one())
	if at == "" || a.session == "" {
		return ""
	}
	return at + "/" + a.session + "." + a.secret
}

// A streamLink reads a response.
type streamLink struct {
	cancel context.CancelFunc
	client *http.Client
	body   io.ReadCloser
	in     *bufio.Reader
	sse    bool
	quiet  *time.Timer
	first  []*wire.ServerFrame // what the header told
}

func openStream(ctx context.Context, d *dialer, address, lastID string, sse bool) (link, error) {
	ctx, cancel := context.WithCancel(ctx)
	l := &streamLink{cancel: cancel, client: d.client(), sse: sse}
	l.quiet = time.AfterFunc(silence, cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		l.cut()
		return nil, err
	}
	req.Header.Set("Accept", "application/x-ndjson")
	if sse {
		req.Header.Set("Accept", "text/event-stream")
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := do(l.client, req, http.StatusOK)
	if err != nil {
		l.cut()
		return nil, err
	}
	l.body, l.in = resp.Body, bufio.NewReader(resp.Body)
	l.first = told(resp.Header)
	return l, nil
}

func (l *streamLink) next() (*wire.ServerFrame, error) {
	if len(l.first) > 0 {
		f := l.first[0]
		l.first = l.first[1:]
		return f, nil
	}
	l.quiet.Reset(silence)
	if l.sse {
		return l.event()
	}
	return nextLine(l.in)
}

// event reads a block (WHATWG HTML, section 9.2.6). What it says of the position is its id alone, as it is for an EventSource.
func (l *streamLink) event() (*wire.ServerFrame, error) {
	var data []byte
	name, id := "", ""
	for {
		line, err := l.in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		field, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'}), []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch {
		case len(line) > 1:
			switch string(field) {
			case "event":
				name = string(value)
			case "data":
				data = append(data, value...)
			case "id":
				at, _, _ := bytes.Cut(value, []byte{'/'})
				id = string(at)
			}
		case name == "close":
			return nil, errors.New("closed: " + string(data))
		case data != nil:
			f, err := parseFrame(data)
			if err == nil {
				f.Position = id
			}
			return f, err
		case id != "":
			return standing(id), nil
		}
	}
}

func (l *streamLink) cut() {
	l.quiet.Stop()
	l.cancel()
	l.client.CloseIdleConnections()
}
