package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/longwire/longwire/wire"
)

// Long-polls, of a session (docs/protocol.md, section 5.4.3) or of channels (5.1).

// pollFor is how long a poll waits. It is short, so that there are empty answers.
const pollFor = "2s"

// An answer is what a poll gets.
type answer struct {
	Answer     uint64
	Messages   []json.RawMessage
	Position   string
	Superseded bool
	Close      *struct{ Code, Reason string }
}

// A poller is what both have in common.
type poller struct {
	ctx    context.Context
	cancel context.CancelFunc
	client *http.Client
	answer // the last one
	taken  int
	gaps   []*wire.ServerFrame // that the header told of
	stands bool                // where the answer ends was told
}

func newPoller(ctx context.Context, d *dialer) poller {
	ctx, cancel := context.WithCancel(ctx)
	return poller{ctx: ctx, cancel: cancel, client: d.client(), stands: true}
}

func (l *poller) cut() {
	l.cancel()
	l.client.CloseIdleConnections()
}

// ask makes a request, and takes its answer up.
func (l *poller) ask(ctx context.Context, method, address string, body []byte, want int, header map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := do(l.client, req, want)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	for _, f := range told(resp.Header) {
		if f.Op == wire.OpGap {
			l.gaps = append(l.gaps, f)
		}
	}
	var a answer
	if err := json.Unmarshal(p, &a); err != nil {
		return fmt.Errorf("an answer that is none, %.80q: %w", p, err)
	}
	l.answer, l.taken, l.stands = a, 0, a.Position == ""
	return nil
}

// left returns what is left of the last answer: its frames, and where it ends. Nil if nothing is.
func (l *poller) left() (*wire.ServerFrame, error) {
	switch {
	case len(l.gaps) > 0:
		f := l.gaps[0]
		l.gaps = l.gaps[1:]
		return f, nil
	case l.taken < len(l.Messages):
		l.taken++
		return parseFrame(l.Messages[l.taken-1])
	case !l.stands:
		l.stands = true
		return standing(l.Position), nil
	case l.Close != nil:
		return nil, fmt.Errorf("closed: %s %s", l.Close.Code, l.Close.Reason)
	case l.Superseded:
		return nil, errors.New("superseded")
	}
	return nil, nil
}

// A pollLink polls a session.
type pollLink struct {
	poller
	d               *dialer
	session, secret string
}

func openPoll(ctx context.Context, d *dialer, a *asking) (link, error) {
	l := &pollLink{poller: newPoller(ctx, d), d: d}
	if err := l.ask(l.ctx, http.MethodPost, d.url("/connect", nil), append(a.connectFrame(), '\n'), http.StatusCreated, nil); err != nil {
		l.cut()
		return nil, err
	}
	return l, nil
}

func (l *pollLink) next() (*wire.ServerFrame, error) {
	for {
		f, err := l.left()
		if err != nil || f != nil {
			if f != nil && f.Op == wire.OpConnected {
				l.session, l.secret = f.Session, f.Secret
			}
			return f, err
		}
		if err := l.poll(); err != nil {
			return nil, err
		}
	}
}

// poll asks for the next answer. Now and then it gives up waiting and asks again, as a client does that was cut:
// what it did not acknowledge is given again.
func (l *pollLink) poll() error {
	address := l.d.url("/connect/"+l.session, url.Values{"wait": {pollFor}, "ack": {fmt.Sprint(l.Answer)}})
	header := map[string]string{"Longwire-Secret": l.secret}
	if l.d.rng.IntN(8) == 0 {
		ctx, cancel := context.WithTimeout(l.ctx, time.Duration(l.d.rng.IntN(20))*time.Millisecond)
		err := l.ask(ctx, http.MethodGet, address, nil, http.StatusOK, header)
		cancel()
		if err == nil || ctx.Err() == nil {
			return err
		}
	}
	return l.ask(l.ctx, http.MethodGet, address, nil, http.StatusOK, header)
}

// A readingPoll polls channels: each answer says where the next one begins.
type readingPoll struct {
	poller
	d     *dialer
	names []string
	at    string
	n     int
}

func openReadingPoll(ctx context.Context, d *dialer, a *asking) (link, error) {
	return &readingPoll{poller: newPoller(ctx, d), d: d, names: a.names, at: a.one()}, nil
}

func (l *readingPoll) next() (*wire.ServerFrame, error) {
	for {
		if f, err := l.left(); err != nil || f != nil {
			return f, err
		}
		if err := l.poll(); err != nil {
			return nil, err
		}
	}
}

// poll says in turn by the address and by a header where it stands.
func (l *readingPoll) poll() error {
	query, header := url.Values{"wait": {pollFor}}, map[string]string{}
	if l.n++; l.n%2 == 0 && position(l.at) != "" {
		header["Longwire-Position"] = l.at
	} else {
		query.Set("since", l.at)
	}
	if err := l.ask(l.ctx, http.MethodGet, l.d.channelsURL(l.names, query), nil, http.StatusOK, header); err != nil {
		return err
	}
	l.at = l.Position
	return nil
}
