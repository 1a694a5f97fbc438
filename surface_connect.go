package longwire

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/longwire/longwire/wire"
)

// connect answers /connect: GET and POST that begin a session, in a link of one of
// the ways. What the address asks for is looked at here, where a refusal gets
// a status whatever the way; the node does it.
func (s *surface) connect(w http.ResponseWriter, r *http.Request) {
	if err := s.node.mayConnect(r.URL.RawQuery); err != nil {
		s.problem(w, err)
		return
	}
	by(s.sessions, w, r)
}

func (n *Node) mayConnect(query string) error {
	q, err := url.ParseQuery(query)
	if err != nil {
		return errTarget
	}
	if err := checkNames(q["channel"], n.opts.MaxSubscriptions); err != nil {
		return err
	}
	_, err = parseSince(q.Get("since"))
	return err
}

// poll answers GET /connect/{session}.
func (s *surface) poll(id string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.node.sessionPoll(w, r, id, r.Header.Get("Longwire-Secret")); err != nil {
			s.problem(w, err)
		}
	}
}

// post answers POST /connect/{session}: frames, one on each line.
func (s *surface) post(id string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seq, err := seqOf(r.Header)
		if err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			err = wire.Errorf(wire.CodeUnsupportedData, "a form is not taken; send the frames themselves as the body, one on each line")
		}
		var frames []byte
		if err == nil {
			frames, err = readBody(w, r, wire.MaxFrame(s.node.opts.MaxMessage))
		}
		if err == nil {
			err = s.node.sessionPost(r.Context(), id, r.Header.Get("Longwire-Secret"), seq, frames)
		}
		if err != nil {
			s.problem(w, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

// seqOf returns the number of a body's first frame; zero if there is none.
func seqOf(h http.Header) (uint64, error) {
	values := h.Values("Longwire-Seq")
	if len(values) == 0 {
		return 0, nil
	}
	seq, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil || len(values) > 1 || seq == 0 || seq > wire.MaxID {
		return 0, wire.Errorf(wire.CodeBadRequest, "Longwire-Seq is the number of the first frame: an integer from 1 to %d", uint64(wire.MaxID))
	}
	return seq, nil
}
