package longwire_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// message wants a message with the given data, as it stands in JSON.
func (p *peer) message(channel, data string) frame {
	p.t.Helper()
	f := p.want("message")
	if f.Channel != channel || string(f.Data) != data {
		p.fatal("heard %v, want %s on %s", f, data, channel)
	}
	return f
}

// numbers wants the messages "from" to "to" of a channel, in order; it returns
// the position of the last.
func (p *peer) numbers(channel string, from, to int) (at string) {
	p.t.Helper()
	for i := from; i <= to; i++ {
		at = p.message(channel, strconv.Quote(strconv.Itoa(i))).Position
	}
	return at
}

// numbers publishes them.
func (r *rig) numbers(channel string, from, to int) (at longwire.Position) {
	r.t.Helper()
	for i := from; i <= to; i++ {
		at = r.publish(channel, strconv.Itoa(i))
	}
	return at
}

// silent wants nothing but pings for a while.
func (p *peer) silent() {
	p.t.Helper()
	if len(p.early) > 0 {
		p.fatal("heard %v, want silence", p.early[0])
	}
	for end := time.After(40 * time.Second); ; {
		f, ok := p.any(end)
		switch {
		case ok && f.Op != "ping":
			p.fatal("heard %v, want silence", f)
		case ok:
		case p.whyNot() != nil:
			p.fatal("the link ended: %v", p.end)
		default:
			return
		}
	}
}

// ended wants the link to end with a code, and nothing before that.
func (p *peer) ended(code wire.Code) *ways.End {
	p.t.Helper()
	if f, ok := p.tryNext(); ok {
		p.fatal("heard %v, want the end %s", f, code)
	}
	err := p.whyNot()
	e, ok := err.(*ways.End)
	if !ok || e.Code != code {
		p.fatal("ended with %v, want %s", err, code)
	}
	return e
}

// again opens another link of p's session, by any way, and says that everything
// up to a position was processed, on all the channels named.
func (p *peer) again(w ways.Way, at string, channels ...string) (*peer, frame) {
	p.t.Helper()
	n, err := p.r.tryDial(w, resumption(p, w, at, "", channels...))
	if err != nil {
		p.fatal("resuming by %s: %v", w.Name, err)
	}
	f := n.connected()
	if f.Session != p.session || f.Secret != p.secret {
		p.fatal("resumed %s by %s and heard %v", p.session, w.Name, f)
	}
	return n, f
}

// resumption is how p's session is resumed.
func resumption(p *peer, w ways.Way, at, token string, channels ...string) ways.Options {
	o := ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}, Token: token}
	if w.ByToken {
		o.Resume.Position = at
	} else {
		o.Subscribe = wishes(at, channels...)
	}
	return o
}

// wishes is the list of subscriptions of a connect frame.
func wishes(since string, channels ...string) string {
	var list []string
	for _, c := range channels {
		list = append(list, fmt.Sprintf(`{"channel":%q,"since":%q}`, c, since))
	}
	return "[" + strings.Join(list, ",") + "]"
}
