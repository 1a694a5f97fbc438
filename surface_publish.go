package longwire

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/content"
	"github.com/longwire/longwire/wire"
)

// publish answers POST /channels/{channel} (docs/protocol.md, section 5.2).
func (s *surface) publish(channel string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t, err := s.publishing(r, channel)
		switch {
		case err != nil:
			s.problem(w, err)
		case t.Lines:
			s.publishLines(w, r, channel)
		default:
			s.publishBody(w, r, channel, t)
		}
	}
}

// publishing checks what can be checked before the body is read.
func (s *surface) publishing(r *http.Request, channel string) (content.Type, error) {
	if err := wire.CheckChannel(channel); err != nil {
		return content.Type{}, err
	}
	if err := s.node.mayPublish(r, channel); err != nil {
		return content.Type{}, err
	}
	return content.TypeOf(r.Header)
}

func (s *surface) publishBody(w http.ResponseWriter, r *http.Request, channel string, t content.Type) {
	p, err := s.publication(w, r, channel, t)
	subscribers := s.node.Subscribers(channel) // before: who is counted hears it
	if err == nil {
		p, err = s.node.publishWait(r.Context(), p)
	}
	if err != nil {
		s.problem(w, err)
		return
	}
	answerJSON(w, append(appendPublished(nil, p, subscribers), '\n'))
}

// publication makes a publication of a request.
func (s *surface) publication(w http.ResponseWriter, r *http.Request, channel string, t content.Type) (*Publication, error) {
	key, err := content.Key(r.Header)
	if err != nil {
		return nil, err
	}
	headers, err := content.Headers(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := readBody(w, r, s.node.opts.MaxMessage)
	if err != nil {
		return nil, err
	}
	kind, data, err := t.Data(body)
	if err != nil {
		return nil, err
	}
	return &Publication{Channel: channel, Kind: Kind(kind), ContentType: t.Media, Data: data, Key: key, Headers: headers}, nil
}

// appendPublished appends what a publisher is told.
func appendPublished(dst []byte, p *Publication, subscribers int) []byte {
	start := len(dst)
	dst = wire.AppendMember(dst, "channel", p.Channel)
	dst = wire.AppendMember(dst, "position", string(p.Position()))
	dst = wire.AppendNumber(dst, "subscribers", int64(subscribers))
	dst[start] = '{'
	return append(dst, '}')
}

// Subscribers returns how many subscriptions a publication to the channel would
// reach on this node just now: a hint.
func (n *Node) Subscribers(channel string) int {
	if wire.CheckChannel(channel) != nil {
		return 0
	}
	return n.index.count(channel)
}

// readBody reads a body of at most so many bytes. An intake has set the time for it.
func readBody(w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	tooLarge := wire.Errorf(wire.CodeTooLarge, "a body here has at most %d bytes; send a smaller one", most)
	if r.ContentLength > int64(most) && r.Header.Get("Expect") != "" {
		return nil, tooLarge // its client waits for a word before it sends all that (RFC 9110, section 10.1.1)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // as an intake
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if e, ok := errors.AsType[*wire.Error](err); ok { // see intake
		return nil, e
	}
	return nil, errBody
}

var errBody = wire.Errorf(wire.CodeBadRequest, "the body did not arrive whole; send all of it within %v", bodyTime)
