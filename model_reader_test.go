package longwire_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/ways"
)

// Those who only read: streams and WebSockets at /channels/…, and single polls.

func modelRead(resp *http.Response, into any) string {
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	json.Unmarshal(b, into)
	return string(b)
}

func modelBase64(b []byte) string    { return base64.StdEncoding.EncodeToString(b) }
func modelEpoch(e uint32) string     { return strconv.FormatUint(uint64(e), 36) }
func modelQuery(since string) string { return "since=" + strings.ReplaceAll(since, " ", "+") }

const maxModelReaders = 5

// newReader begins to read, or goes on where another reader was.
func (m *model) newReader() {
	var readers []*modelLink
	for _, l := range m.all {
		if l.reader && !l.closed {
			readers = append(readers, l)
		}
	}
	var base *modelLink
	if len(readers) >= maxModelReaders || m.one(2) {
		if base = modelPick(m, readers); base != nil {
			m.cutOff(base, m.one(3))
		}
	}
	names, since := m.someNames(), m.usefulSince(nil)
	if base != nil {
		names = names[:0]
		for name := range base.subs {
			names = append(names, name)
		}
		slices.Sort(names)
		if t := base.resumes(); t != "" {
			since = t
		}
	}
	what := modelPick(m, []string{"sse", "ndjson", "ws"})
	l := m.newLink(what+" reader", nil)
	l.reader, l.first, l.asked = true, true, since
	for _, name := range names {
		st := m.start(name, since)
		s := &modelSub{name: name, start: st, settled: true}
		if st.kind == 'p' {
			s.after, s.begun, s.at = st.pos.number, st.within, since
			s.gapDue = !st.within
		}
		l.subs[name] = s
	}
	path := "/channels/" + strings.Join(names, ",")
	m.note("%v opens %s since %s", l, path, since)
	l.open(func(t testing.TB) (ways.Client, error) {
		switch what {
		case "sse":
			return ways.Read(t, &m.r.Server, path, "since=all", "text/event-stream", since)
		case "ndjson":
			return ways.Read(t, &m.r.Server, path, modelQuery(since), "application/x-ndjson", "")
		}
		return ways.DialWS(t, &m.r.Server, path, modelQuery(since))
	})
}

// resumes returns the one position from which a reader goes on that was cut.
func (l *modelLink) resumes() string {
	if t := l.eventID(); t != "" || strings.HasPrefix(l.what, "sse") {
		return t
	}
	for _, s := range l.subs {
		if !s.begun {
			return "" // it was told nothing yet
		}
	}
	return l.least()
}

// A modelPoll is one long-poll of channels, and what it was asked.
type modelPoll struct {
	names  []string
	subs   []*modelSub
	since  string
	cancel context.CancelFunc
	done   chan modelPolled // capacity 1
}

type modelPolled struct {
	status int
	body   string
	header http.Header
	err    error
}

// poll polls on, or anew.
func (m *model) poll() {
	for range 3 {
		p := modelPick(m, m.polls)
		if p != nil && m.one(3) {
			m.note("a poll of %v is cut", p.names)
			p.cancel() // its answer says so
			return
		}
		if len(m.polls) < 4 {
			m.pollFrom(m.someNames(), m.usefulSince(nil))
			return
		}
	}
}

func (m *model) pollFrom(names []string, since string) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &modelPoll{names: names, since: since, cancel: cancel, done: make(chan modelPolled, 1)}
	for _, name := range names {
		p.subs = append(p.subs, &modelSub{name: name, start: m.start(name, since)})
	}
	m.polls = append(m.polls, p)
	wait := modelPick(m, []time.Duration{0, 0, time.Second, 20 * time.Second})
	url := m.r.URL("/channels/"+strings.Join(names, ","), fmt.Sprintf("wait=%v&%s", wait, modelQuery(since)))
	m.note("poll %s", url)
	m.wg.Go(func() {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		resp, err := m.r.http.Do(req)
		if err != nil {
			p.done <- modelPolled{err: err}
			return
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		p.done <- modelPolled{resp.StatusCode, string(b), resp.Header, err}
	})
}

// hearPolls takes in the answers that came.
func (m *model) hearPolls() {
	for _, p := range slices.Clone(m.polls) {
		select {
		case a := <-p.done:
			m.polls = slices.DeleteFunc(m.polls, func(o *modelPoll) bool { return o == p })
			next := m.answered(p, &a)
			p.cancel()
			if m.one(2) {
				m.pollFrom(p.names, next)
			}
		default:
		}
	}
}

// answered checks the answer of a poll, and returns from where to poll on.
func (m *model) answered(p *modelPoll, a *modelPolled) string {
	if a.err != nil {
		return p.since
	}
	var f struct {
		Messages []json.RawMessage
		Position string
	}
	if err := json.Unmarshal([]byte(a.body), &f); err != nil || a.status != http.StatusOK || a.header.Get("Longwire-Position") != f.Position {
		m.fail("a poll of %v was answered %d %v %s", p.names, a.status, a.header, a.body)
	}
	l := &modelLink{m: m, what: "poll of " + strings.Join(p.names, ","), first: true, reader: true}
	l.subs = map[string]*modelSub{}
	for _, s := range p.subs {
		s.settled = true
		if st := &s.start; st.kind == 'p' {
			s.after, s.begun, s.at = st.pos.number, st.within, p.since
			s.gapDue = !st.within
		}
		l.subs[s.name] = s
	}
	m.note("a poll of %v since %s is answered %.300s … %s", p.names, p.since, modelPad.ReplaceAllString(a.body, "…"), f.Position)
	for _, raw := range f.Messages {
		l.frame(modelHeard{text: string(raw)})
	}
	if at, ok := parseModelPosition(f.Position); !ok {
		m.fail("an answer to a poll without position: %s", a.body)
	} else {
		m.until(at.number)
	}
	for _, s := range l.subs {
		if l.due(s) {
			l.fail("the gap of %s, since %s, is not told", s.name, p.since)
		}
	}
	l.stands(f.Position, "the answer of a poll")
	return f.Position
}

// history checks a reply to history.
func (m *model) history(l *modelLink, r *modelRequest, f *modelFrame) {
	if len(f.Publications) == 0 {
		return
	}
	var numbers []uint64
	for i := range f.Publications {
		p := &f.Publications[i]
		n := l.position(p.Position).number
		m.until(n)
		l.same(p, m.log.publication(n))
		numbers = append(numbers, n)
	}
	first, last := numbers[0], numbers[len(numbers)-1]
	all := m.log.of(r.channel, first-1, last)
	if !slices.IsSorted(numbers) || !slices.Equal(numbers, all) && (r.start.kind != 'l' || !isModelPattern(r.channel)) && len(m.broker.kept(r.channel, first-1, last)) == len(all) {
		l.fail("%s was answered with %v, but there are %v", r.text, numbers, all)
	}
	if st := &r.start; st.kind == 'p' && !f.Gap && len(m.log.of(r.channel, st.pos.number, first-1)) > 0 {
		l.fail("%s was answered from %d on, without a gap", r.text, first)
	}
	if at := l.position(f.Position).number; at < last {
		l.fail("%s was answered up to %d, and ends at %s", r.text, last, f.Position)
	}
}
