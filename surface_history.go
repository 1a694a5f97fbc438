package longwire

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/longwire/longwire/wire"
)

// history answers GET /channels/{channel}/history (docs/protocol.md, section 5.3).
func (s *surface) history(channel string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			s.problem(w, errTarget)
			return
		}
		page, err := s.page(r, channel, q)
		switch {
		case err != nil:
			s.problem(w, err)
		case q.Has("raw"):
			s.writeRaw(w, page)
		default:
			answerJSON(w, append(page.append([]byte{}), "}\n"...))
		}
	}
}

// page reads what a request asks for.
func (s *surface) page(r *http.Request, channel string, q url.Values) (*historyPage, error) {
	if err := wire.CheckPattern(channel); err != nil {
		return nil, err
	}
	if err := s.node.mayRead(r, []string{channel}); err != nil {
		return nil, err
	}
	from, err := historySince(q.Get("since"))
	if err != nil {
		return nil, err
	}
	limit := 0
	switch text := q.Get("limit"); {
	case q.Has("raw"):
		limit = 1
	case text != "":
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return nil, wire.Errorf(wire.CodeBadRequest, "limit is a number from 1 on; a page has %d at most, ask on with its position", historyMost)
		}
	}
	return s.node.history(r.Context(), channel, from, limit)
}

// writeRaw answers with the exact bytes of a publication.
func (s *surface) writeRaw(w http.ResponseWriter, page *historyPage) {
	h := w.Header()
	if page.gap {
		h.Set("Longwire-Gap", page.channel)
	}
	if len(page.publications) == 0 {
		h.Set("Longwire-Position", string(page.position))
		s.problem(w, wire.Errorf(wire.CodeNotFound, "there is no publication from there on"))
		return
	}
	p := page.publications[0]
	h.Set("Longwire-Position", string(p.Position()))
	h.Set("Content-Type", contentType(p))
	h.Set("Cache-Control", "no-store")
	// Whoever may publish could otherwise have a page of this origin.
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Length", strconv.Itoa(len(p.Data)))
	_, _ = w.Write(p.Data) // a client that is gone needs none
}

// contentType is what [content.TypeOf] reads as the publication's kind.
func contentType(p *Publication) string {
	switch {
	case p.ContentType != "":
		return p.ContentType
	case p.Kind == JSON:
		return "application/json"
	case p.Kind == Text:
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// forget answers DELETE /channels/{channel}/history.
func (s *surface) forget(channel string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := wire.CheckChannel(channel)
		if err == nil {
			err = s.node.mayPublish(r, channel)
		}
		f, ok := s.node.broker.(Forgetter)
		if err == nil && !ok {
			wire.WriteProblem(w, http.StatusNotImplemented, wire.Errorf(wire.CodeNeedsHistory, "this server's broker keeps no history that could be deleted"))
			return
		}
		if err == nil {
			err = f.Forget(r.Context(), channel)
		}
		if err != nil {
			s.problem(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// presence answers GET /channels/{channel}/presence.
func (s *surface) presence(channel string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := wire.CheckChannel(channel)
		if err == nil {
			err = s.node.mayRead(r, []string{channel})
		}
		if err == nil {
			err = errNoPresence
		}
		s.problem(w, err)
	}
}

// answerJSON answers with an object whose members begin with a comma.
func answerJSON(w http.ResponseWriter, b []byte) {
	b[0] = '{'
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // a client that is gone has no use for it
}
