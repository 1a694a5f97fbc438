package longwire_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// operate does one thing.
func (m *model) operate() {
	ops := []struct {
		weight int
		do     func()
	}{
		{30, m.publishSome},
		{25, m.readSome},
		{25, m.request},
		{6, m.newSession},
		{8, m.resume},
		{2, m.race},
		{5, m.cut},
		{2, m.vanish},
		{1, m.goodbye},
		{2, m.server},
		{1, m.closeSession},
		{6, m.newReader},
		{4, m.poll},
		{1, m.forget},
		{4, func() { m.sleep(time.Duration(m.rnd.IntN(3000)) * time.Millisecond) }},
		{1, func() { m.sleep(time.Duration(1+m.rnd.IntN(60)) * time.Second) }},
		{2, m.settleOne},
	}
	sum := 0
	for _, o := range ops {
		sum += o.weight
	}
	n := m.rnd.IntN(sum)
	for _, o := range ops {
		if n -= o.weight; n < 0 {
			o.do()
			return
		}
	}
}

func modelPick[T any](m *model, list []T) (t T) {
	if len(list) > 0 {
		t = list[m.rnd.IntN(len(list))]
	}
	return t
}

// linkOf picks a link that is open.
func (m *model) linkOf(fits func(l *modelLink) bool) *modelLink {
	var list []*modelLink
	for _, l := range m.all {
		if l.up() && !l.closed && fits(l) {
			list = append(list, l)
		}
	}
	return modelPick(m, list)
}

func anyLink(*modelLink) bool { return true }

// talks reports whether the link is its session's, and frames can be sent on it.
func (l *modelLink) talks() bool { return !l.reader && l.s.live == l && l.first }

// publication makes one up that there was not before.
func (m *model) publication() (channel string, data []byte, o *longwire.PublishOptions) {
	m.serial++
	pad := strings.Repeat("x", m.rnd.IntN(m.conf.size))
	o = &longwire.PublishOptions{Kind: longwire.Text}
	data = fmt.Appendf(nil, "%d %s", m.serial, pad)
	switch m.rnd.IntN(6) {
	case 0:
		o.Kind, data = longwire.JSON, fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, m.serial, pad)
	case 1:
		o.Kind = longwire.Binary
	case 2:
		o.Headers = map[string]string{"trace": fmt.Sprint(m.serial)}
	}
	return modelPick(m, modelChannels), data, o
}

func (m *model) publishSome() {
	n := 1 + m.rnd.IntN(4)
	if m.one(6) {
		n = 1 + m.rnd.IntN(100)
	}
	m.note("publish %d from %d on", n, m.serial+1)
	for range n {
		channel, data, o := m.publication()
		if m.one(3) {
			channel = "a" // many of one
		}
		switch m.rnd.IntN(12) {
		case 0, 1:
			m.post(channel, data, o)
		case 2:
			if l := m.linkOf((*modelLink).talks); l != nil {
				l.publish(channel, data, o)
			}
		case 3:
			m.wg.Go(func() {
				at, err := m.r.node.Publish(context.Background(), channel, data, o)
				m.published(channel, data, "", string(at), err)
			})
		default:
			m.r.node.PublishFunc(channel, data, o, func(at longwire.Position, err error) { m.published(channel, data, "", string(at), err) })
		}
	}
}

// key returns the key of a publication, which may be another's.
func (m *model) key() string {
	if m.one(2) {
		return ""
	}
	return fmt.Sprint("key", m.rnd.IntN(20))
}

// post publishes by POST.
func (m *model) post(channel string, data []byte, o *longwire.PublishOptions) {
	key := m.key()
	m.wg.Go(func() {
		req, _ := http.NewRequest(http.MethodPost, m.r.URL("/channels/"+channel, ""), bytes.NewReader(data))
		req.Header.Set("Content-Type", map[longwire.Kind]string{
			longwire.Text: "text/plain", longwire.JSON: "application/json", longwire.Binary: "application/octet-stream"}[o.Kind])
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		for k, v := range o.Headers {
			req.Header.Set("Longwire-Header-"+k, v)
		}
		resp, err := m.r.http.Do(req)
		if err != nil {
			return // the end
		}
		var f modelFrame
		body := modelRead(resp, &f)
		if resp.StatusCode != http.StatusOK {
			err = &wire.Error{Code: wire.Code(f.Code), Message: body}
		}
		m.published(channel, data, key, f.Position, err)
	})
}

// published checks what a publisher was told. Any goroutine.
func (m *model) published(channel string, data []byte, key, at string, err error) {
	if e, ok := err.(*wire.Error); ok && e.Code == wire.CodeKeyReused && key != "" {
		return
	}
	if e, ok := err.(*wire.Error); ok && e.Code == wire.CodeDraining {
		return // the end
	}
	if err != nil {
		m.wrong("publishing %s on %s: %v", data, channel, err)
		return
	}
	pos, ok := parseModelPosition(at)
	p := m.log.publication(pos.number)
	if !ok || p == nil || p.Channel != channel || !bytes.Equal(p.Data, data) || p.Key != key {
		m.wrong("%s was published on %s with the key %q, and told to be at %s, which is %+v", data, channel, key, at, p)
	}
}

// readSome lets a link read, or not.
func (m *model) readSome() {
	l := m.linkOf(anyLink)
	if l == nil {
		return
	}
	switch m.rnd.IntN(6) {
	case 0:
		m.note("%v stops reading", l)
		l.let(0)
		l.mu.Lock()
		l.allow = 0
		l.mu.Unlock()
	case 1:
		m.note("%v reads all", l)
		l.idled()
		l.let(-1)
		l.stalled = time.Time{}
	default:
		if !l.free() {
			n := 1 + m.rnd.IntN(30)
			m.note("%v reads %d", l, n)
			l.let(n)
		}
	}
}

// request has a session ask for something.
func (m *model) request() {
	l := m.linkOf((*modelLink).talks)
	if l == nil {
		return
	}
	for range 1 + m.rnd.IntN(3) {
		switch m.rnd.IntN(12) {
		case 0, 1, 2, 3, 4:
			l.subscribe(modelPick(m, modelNames), m.since(l))
		case 5, 6:
			name := modelPick(m, modelNames)
			for _, s := range l.subs {
				if name = s.name; m.one(2) {
					break
				}
			}
			l.ask(&modelRequest{op: "unsubscribe", channel: name}, "")
		case 7, 8:
			channel, data, o := m.publication()
			l.publish(channel, data, o)
		case 9:
			l.ask(&modelRequest{op: "ping"}, "")
		case 10:
			r := &modelRequest{op: "call", bad: string(wire.CodeNotFound)}
			if m.conf.hooks {
				r.bad = ""
			}
			l.ask(r, `,"method":"echo","data":1`)
		case 11:
			name, since := modelPick(m, modelNames), m.since(l)
			r := &modelRequest{op: "history", channel: name, start: m.start(name, since)}
			if r.start.kind == 'x' {
				r.bad = string(wire.CodeBadRequest)
			}
			l.ask(r, fmt.Sprintf(`,"since":%q,"limit":%d`, since, 1+m.rnd.IntN(50)))
		}
	}
}

func (l *modelLink) subscribe(name, since string) {
	r := &modelRequest{op: "subscribe", channel: name, start: l.m.start(name, since)}
	switch {
	case r.start.kind == 'x':
		r.bad = string(wire.CodeBadRequest)
	case l.m.one(30):
		r.channel, r.bad = "a..b", string(wire.CodeBadChannel)
	}
	l.ask(r, fmt.Sprintf(`,"since":%q`, since))
}

func (l *modelLink) publish(channel string, data []byte, o *longwire.PublishOptions) {
	r := &modelRequest{op: "publish", channel: channel, data: data, key: l.m.key()}
	more := ""
	switch o.Kind {
	case longwire.JSON:
		more = `,"data":` + string(data)
	case longwire.Text:
		more = fmt.Sprintf(`,"type":"text","data":%q`, data)
	default:
		more = `,"data64":"` + modelBase64(data) + `"`
	}
	for k, v := range o.Headers {
		more += fmt.Sprintf(`,"headers":{%q:%q}`, k, v)
	}
	if r.key != "" {
		more += fmt.Sprintf(`,"key":%q`, r.key)
	}
	l.ask(r, more)
}

// ask sends a frame that is to be answered.
func (l *modelLink) ask(r *modelRequest, more string) {
	l.m.named++
	r.id = uint64(1000 + l.m.named)
	channel := ""
	if r.channel != "" {
		channel = fmt.Sprintf(`,"channel":%q`, r.channel)
	}
	r.text = fmt.Sprintf(`{"op":%q,"id":%d%s%s}`, r.op, r.id, channel, more)
	l.m.note("%v asks %s", l, modelPad.ReplaceAllString(r.text, "…"))
	l.say(r)
}

// since makes up where a subscription begins.
func (m *model) since(l *modelLink) string {
	switch m.rnd.IntN(14) {
	case 0, 1, 2:
		return "now"
	case 3, 4:
		return "all"
	case 5, 6:
		return fmt.Sprint("last:", 1+m.rnd.IntN(20))
	case 7:
		return (time.Duration(1+m.rnd.IntN(20_000)) * time.Millisecond).String()
	case 8:
		return modelPick(m, []string{"now", "yesterday", "last:0", "-1s"})
	case 9:
		return m.anyPosition()
	case 10:
		return m.foreignPosition()
	}
	if l != nil && !l.reader {
		for _, s := range l.subs {
			return s.at
		}
	}
	return m.anyPosition()
}

// anyPosition is one of those that publications had.
func (m *model) anyPosition() string {
	if head := m.log.head(); head > 0 {
		return string(m.log.publication(1 + m.rnd.Uint64N(head)).Position())
	}
	return "now"
}

// foreignPosition is one that this server never told.
func (m *model) foreignPosition() string {
	return modelPick(m, []string{
		"k3f9-42-t3k1c0",
		fmt.Sprintf("%s-%d-t3k1c0", modelEpoch(m.log.epoch), m.log.head()+1+m.rnd.Uint64N(100)),
	})
}

// settleOne has one link, or all, read everything.
func (m *model) settleOne() {
	if m.one(4) {
		m.settle(m.all)
	} else if l := m.linkOf(anyLink); l != nil {
		m.settle([]*modelLink{l})
	}
}

// server has the program subscribe a session to something, or push.
func (m *model) server() {
	l := m.linkOf((*modelLink).talks)
	if l == nil {
		return
	}
	s := m.r.node.Session(l.s.id)
	if s == nil {
		return
	}
	name := modelPick(m, modelNames)
	switch m.rnd.IntN(3) {
	case 0:
		m.note("the server subscribes %v to %s", l.s, name)
		l.s.made[name] = true
		s.Subscribe(name)
	case 1:
		m.note("the server unsubscribes %v from %s", l.s, name)
		l.s.made[name] = true
		s.Unsubscribe(name)
	case 2:
		s.Send("hello", longwire.Text, []byte("you"))
	}
}

// closeSession has the program end a session.
func (m *model) closeSession() {
	s := modelPick(m, m.sessions)
	if s == nil || s.id == "" {
		return
	}
	m.note("the server closes %v", s)
	if n := m.r.node.Session(s.id); n != nil {
		for _, l := range s.links {
			l.causes[wire.CodeForbidden] = true
			l.causes[wire.CodeSessionMoved] = true
		}
		s.ending, s.closed = true, m.links
		n.Close(longwire.Close{Code: wire.CodeForbidden, Reason: "enough"})
	}
}

// forget has the broker forget what it keeps of a channel.
func (m *model) forget() {
	channel := modelPick(m, modelChannels)
	m.note("forget %s", channel)
	if err := m.broker.Forget(context.Background(), channel); err != nil {
		m.fail("Forget: %v", err)
	}
}
