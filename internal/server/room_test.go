package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
)

// A pipe is a sink that takes what fits: at most room messages until it is read.
type pipe struct {
	mu     sync.Mutex
	got    []*longwire.Message
	room   int // what still fits; negative: any number
	more   sync.Cond
	closed bool
}

func newPipe(room int) *pipe {
	p := &pipe{room: room}
	p.more.L = &p.mu
	return p
}

func (p *pipe) SendMessage(m *longwire.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.take(m)
}

func (p *pipe) take(m *longwire.Message) error {
	switch {
	case p.closed:
		return longwire.ErrClosed
	case p.room == 0:
		return longwire.ErrFull
	}
	p.room--
	p.got = append(p.got, m)
	return nil
}

func (p *pipe) SendMessageWait(_ context.Context, m *longwire.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.room == 0 && !p.closed {
		p.more.Wait()
	}
	return p.take(m)
}

// open makes room, or closes with none.
func (p *pipe) open(room int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room, p.closed = room, room == 0
	p.more.Broadcast()
}

func (p *pipe) frames(t *testing.T) (list []frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.got {
		list = append(list, parseFrame(t, m.Data()))
	}
	return list
}

// A frame is any frame of the server.
type frame struct {
	Op          string
	ID          int
	Channel     string
	Position    string
	After       string
	Data        json.RawMessage
	Data64      string
	Type        string
	Time        string
	Code        string
	Message     string
	Reason      string
	Retry       *int
	Lost        int
	Subscribers *int
}

func parseFrame(t testing.TB, p []byte) (f frame) {
	t.Helper()
	if err := json.Unmarshal(p, &f); err != nil {
		t.Fatalf("not a frame: %v: %.300q", err, p)
	}
	return f
}

func say(r *room, channel, text string) uint64 {
	data, err := appendData(nil, longwire.Text, []byte(text))
	if err != nil {
		panic(err)
	}
	n, _ := r.publish(time.Now(), channel, data)
	return n
}

// All subscribers of a channel see one order, the order of the positions, and
// share each message, whoever publishes and whoever comes and goes meanwhile.
func TestRoomOrder(t *testing.T) {
	const publishers, each, subscribers = 8, 200, 20
	r := newRoom()
	var pipes []*pipe
	var subs []*subscription
	for range subscribers {
		p := newPipe(-1)
		pipes = append(pipes, p)
		sub, _ := r.subscribe("news", &outlet{sink: p}, false)
		subs = append(subs, sub)
	}
	var publishing sync.WaitGroup
	for i := range publishers {
		publishing.Go(func() {
			for j := range each {
				say(r, "news", fmt.Sprint(i, ".", j))
				if j%20 == 0 {
					sub, _ := r.subscribe("news", &outlet{sink: newPipe(-1)}, false)
					r.unsubscribe(sub)
					say(r, "other", "nobody hears this")
				}
			}
		})
	}
	publishing.Wait()
	r.wait()
	first := pipes[0].got
	if len(first) != publishers*each {
		t.Fatalf("%d messages, want %d", len(first), publishers*each)
	}
	for i, p := range pipes {
		if !slices.Equal(p.got, first) {
			t.Errorf("subscriber %d saw another order, or other messages, than subscriber 0", i)
		}
	}
	last := 0
	for _, f := range pipes[0].frames(t) {
		var n int
		if _, err := fmt.Sscanf(f.Position, "0-%d", &n); err != nil || n <= last {
			t.Fatalf("position %s after %d", f.Position, last)
		}
		last = n
	}
	for _, sub := range subs {
		r.unsubscribe(sub)
	}
	r.wait()
	for i := range r.shards {
		if n := len(r.shards[i].channels); n != 0 {
			t.Errorf("%d channels are left in shard %d though nobody subscribes", n, i)
		}
	}
}

// What is published after a subscription is heard, also while it is held; what
// was published before is not.
func TestRoomSubscriptionBegins(t *testing.T) {
	r := newRoom()
	p := newPipe(-1)
	say(r, "news", "before")
	sub, position := r.subscribe("news", &outlet{sink: p}, true)
	after := say(r, "news", "after")
	r.wait()
	if position != 1 || after != 2 {
		t.Errorf("subscribed at %d, then published %d; want 1 and 2", position, after)
	}
	if len(p.got) != 0 {
		t.Errorf("heard %q while it was held", p.got[0].Data())
	}
	sub.release()
	r.wait()
	if len(p.got) != 1 || !strings.Contains(string(p.got[0].Data()), `"data":"after"`) {
		t.Errorf("heard %d messages, want the one after", len(p.got))
	}
	r.unsubscribe(sub)
	say(r, "news", "too late")
	r.wait()
	if len(p.got) != 1 {
		t.Error("heard more after it had unsubscribed")
	}
}

// A subscriber that does not read gets a backlog and then a gap, with the
// number of what it missed, before anything later. Another misses nothing.
func TestRoomSlowSubscriber(t *testing.T) {
	r := newRoom()
	slow, quick := newPipe(2), newPipe(-1)
	slowSub, _ := r.subscribe("news", &outlet{sink: slow}, false)
	quickSub, _ := r.subscribe("news", &outlet{sink: quick}, false)
	const total = 2000
	for i := range total {
		say(r, "news", fmt.Sprint(i))
	}
	waitFor(t, func() bool { quick.mu.Lock(); defer quick.mu.Unlock(); return len(quick.got) == total })
	slowSub.mu.Lock()
	if n := len(slowSub.behind.waiting); n > maxBehind {
		t.Errorf("%d messages wait, %d are the most", n, maxBehind)
	}
	slowSub.mu.Unlock()

	slow.open(-1)
	waitFor(t, func() bool { slowSub.mu.Lock(); defer slowSub.mu.Unlock(); return slowSub.behind == nil })
	say(r, "news", "last")
	r.wait()
	heard, lost := 0, 0
	after := ""
	for _, f := range slow.frames(t) {
		switch f.Op {
		case "message":
			heard++
		case "gap":
			lost += f.Lost
			if f.After != after {
				t.Errorf("a gap after %s, but the last message was at %s", f.After, after)
			}
		}
		after = f.Position
	}
	if heard+lost != total+1 || lost == 0 {
		t.Errorf("heard %d and was told of %d lost; together they should be %d, with some lost", heard, lost, total+1)
	}
	if f := slow.frames(t); string(f[len(f)-1].Data) != `"last"` {
		t.Errorf("the last frame is %+v", f[len(f)-1])
	}
	r.unsubscribe(slowSub)
	r.unsubscribe(quickSub)
	r.wait()
}

// A gap is told even when nothing follows it.
func TestRoomGapAtTheEnd(t *testing.T) {
	r := newRoom()
	p := newPipe(1)
	sub, _ := r.subscribe("news", &outlet{sink: p}, false)
	for i := range maxBehind + 10 {
		say(r, "news", fmt.Sprint(i))
	}
	waitFor(t, func() bool {
		sub.mu.Lock()
		defer sub.mu.Unlock()
		return sub.sent+sub.lostNow() == maxBehind+10
	})
	p.open(-1)
	r.wait()
	frames := p.frames(t)
	if f := frames[len(frames)-1]; f.Op != "gap" || f.Position != fmt.Sprintf("0-%d", maxBehind+10) {
		t.Errorf("the last frame is %+v, want a gap up to the last position", f)
	}
	r.unsubscribe(sub)
	r.wait()
}

func (s *subscription) lostNow() uint64 {
	if s.behind == nil {
		return 0
	}
	return s.behind.lost
}

// What waits for a connection is bounded however many channels it reads. What
// each of them lost is told, and once it has read all there is room as before.
func TestRoomManySlowSubscriptions(t *testing.T) {
	const channels, each = 64, 20
	r := newRoom()
	p := newPipe(1)
	out := &outlet{sink: p}
	quick := newPipe(-1)
	var subs []*subscription
	for i := range channels {
		for _, to := range []*outlet{out, {sink: quick}} {
			sub, _ := r.subscribe(fmt.Sprint("c", i), to, false)
			subs = append(subs, sub)
		}
	}
	for range each {
		for i := range channels {
			say(r, fmt.Sprint("c", i), strings.Repeat("x", 4<<10))
		}
	}
	waitFor(t, func() bool { quick.mu.Lock(); defer quick.mu.Unlock(); return len(quick.got) == channels*each })
	out.mu.Lock()
	// A subscription that could keep nothing else keeps a gap.
	if out.messages > maxBehind+channels || out.bytes > maxBehindBytes+channels*256 {
		t.Errorf("%d messages with %d bytes wait for one connection", out.messages, out.bytes)
	}
	out.mu.Unlock()

	r.unsubscribe(subs[0]) // and what waited for it counts no longer
	p.open(-1)
	for _, sub := range subs[2:] {
		waitFor(t, func() bool { sub.mu.Lock(); defer sub.mu.Unlock(); return sub.behind == nil })
	}
	heard, after := map[string]int{}, map[string]string{}
	for _, f := range p.frames(t) {
		switch f.Op {
		case "message":
			heard[f.Channel]++
		case "gap":
			heard[f.Channel] += f.Lost
			if before := after[f.Channel]; before != "" && f.After != before {
				t.Errorf("%s: a gap after %s, but the last message was at %s", f.Channel, f.After, before)
			}
		}
		after[f.Channel] = f.Position
	}
	for i := 1; i < channels; i++ {
		if name := fmt.Sprint("c", i); heard[name] != each {
			t.Errorf("%s: heard and was told of %d, want %d", name, heard[name], each)
		}
	}
	for _, sub := range subs[1:] {
		r.unsubscribe(sub)
	}
	r.wait()
	if out.messages != 0 || out.bytes != 0 {
		t.Errorf("%d messages with %d bytes are counted, but nothing waits", out.messages, out.bytes)
	}
}

// A connection that ends while it is behind leaves nothing that waits.
func TestRoomSlowSubscriberLeaves(t *testing.T) {
	r := newRoom()
	p := newPipe(0)
	sub, _ := r.subscribe("news", &outlet{sink: p}, false)
	for range 10 {
		say(r, "news", "x")
	}
	p.open(0)
	r.unsubscribe(sub)
	r.wait()
	if len(p.got) != 0 {
		t.Errorf("%d messages for a closed connection", len(p.got))
	}
}

// waitFor polls for what no event tells.
func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n, " subscribers"), func(b *testing.B) {
			r := newRoom()
			for range n {
				r.subscribe("news", &outlet{sink: deaf{}}, false)
			}
			data := []byte(`"data":"hello"`)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				r.publish(now, "news", data)
			}
			r.wait()
		})
	}
}

type deaf struct{}

func (deaf) SendMessage(*longwire.Message) error                      { return nil }
func (deaf) SendMessageWait(context.Context, *longwire.Message) error { return nil }
