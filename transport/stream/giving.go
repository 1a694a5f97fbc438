package stream

import (
	"net/http"
	"strconv"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// What polls are answered with. A receiver that is a standing is asked at each
// answer where it stands. Only the answer of a poll that is superseded does not
// say so, because what was sent before may be in the next; nor do those of a link
// that has ended, except the one that a poll is waiting for then.

// A standing is a [longwire.Receiver] that knows how far what it sent goes, for
// the header Longwire-Position and the member position of an answer. It may
// set further headers, which are kept with an answer that is kept.
type standing interface {
	Standing(h http.Header) longwire.Position
}

// give answers the poll that waits with what there is.
func (p *poll) give(now time.Time) {
	a, l := p.waiting, p.l
	p.waiting = nil
	if a.opens && (l.end != nil || len(l.box.buf) == 0) {
		p.refuse(now, a)
		return
	}
	rep := p.kept
	if rep.body == nil {
		rep = p.next()
	}
	a.answer(now, rep)
	if p.once {
		p.ended(&longwire.Close{Code: wire.CodeNormal})
		return
	}
	p.expect()
}

// next makes an answer of what waits, and keeps it if there is something.
func (p *poll) next() reply {
	p.settled() // first: a receiver may hand out what it is in the middle of
	var elements []byte
	if n := len(p.l.box.buf); n > 0 {
		p.number++
		elements = p.l.box.buf[:n-1]
		p.l.box.buf = nil
	}
	var at longwire.Position
	header := http.Header{}
	if r, ok := p.l.recv.(standing); ok && p.l.state&told == 0 {
		if at = r.Standing(header); at != "" {
			header.Set("Longwire-Position", string(at))
		}
	}
	rep := p.reply(p.body(elements, at, false))
	if len(header) > 0 {
		rep.header = header
	}
	if elements != nil {
		p.kept = rep
	}
	return rep
}

func (p *poll) reply(body []byte) reply {
	if p.once {
		return reply{body: body}
	}
	return reply{body: body, number: p.number, numbered: true}
}

// body makes an answer of elements joined by commas.
func (p *poll) body(elements []byte, at longwire.Position, superseded bool) []byte {
	b := append(make([]byte, 0, len(elements)+len(at)+64), '{')
	if !p.once {
		b = append(b, `"answer":`...)
		b = strconv.AppendUint(b, p.number, 10)
		b = append(b, ',')
	}
	b = append(b, `"messages":[`...)
	b = append(b, elements...)
	b = append(b, ']')
	if at != "" {
		b = wire.AppendMember(b, "position", string(at))
	}
	switch {
	case superseded:
		b = append(b, `,"superseded":true`...)
	case p.l.end != nil && p.l.enc.Close != nil:
		b = append(b, `,"close":`...)
		b = p.l.enc.Close(b, p.l.end)
	}
	return append(b, "}\n"...)
}
