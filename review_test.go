package longwire_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A gatedBroker is a memory broker whose reads wait while it is shut.
type gatedBroker struct {
	longwire.Broker

	mu sync.Mutex
	// Guarded by mu.
	gate chan struct{} // closed when reads may go on
	pass int           // reads that may yet
	read int           // that were asked for
}

func (b *gatedBroker) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	return func(yield func(*longwire.Publication, error) bool) {
		b.mu.Lock()
		gate := b.gate
		b.read++
		if b.pass > 0 {
			b.pass--
			gate = nil
		}
		b.mu.Unlock()
		if gate == nil {
			b.Broker.Read(ctx, r)(yield)
			return
		}
		select {
		case <-gate:
		case <-ctx.Done():
		}
		b.Broker.Read(ctx, r)(yield)
	}
}

// shut has reads wait, except the next few.
func (b *gatedBroker) shut(pass int) (open func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	gate := make(chan struct{})
	b.gate, b.pass = gate, pass
	return sync.OnceFunc(func() { close(gate) })
}

// gated runs a body with a node over a gated broker.
func gated(t *testing.T, o longwire.Options, m *longwire.MemoryOptions, body func(t *testing.T, r *rig, b *gatedBroker)) {
	synctest.Test(t, func(t *testing.T) {
		b := &gatedBroker{Broker: longwire.NewMemory(m)}
		b.shut(0)()
		t.Cleanup(func() {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		o.Broker = b
		body(t, newRig(t, o), b)
	})
}

// A link may die while history is asked where its subscriptions begin.
func TestLinkDiesWhilePlacesAreLookedFor(t *testing.T) {
	gated(t, openToAll, nil, func(t *testing.T, r *rig, b *gatedBroker) {
		r.numbers("a", 1, 3)
		open := b.shut(0)
		p := r.read("/channels/a,b,c", "since=all", "", "")
		synctest.Wait()
		p.Cut()
		time.Sleep(5 * time.Second)
		open()
		synctest.Wait()
	})
}

// The program may end a subscription of a session that is polled while history is
// asked where it begins.
func TestUnsubscribedWhilePlacesAreLookedFor(t *testing.T) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			gated(t, openToAll, nil, func(t *testing.T, r *rig, b *gatedBroker) {
				r.numbers("a", 1, 3)
				p := r.dial(w, ways.Options{})
				open := b.shut(0)
				p.say(`{"op":"subscribe","id":70,"channel":"a","since":"all"}`)
				synctest.Wait()
				if err := r.node.Session(p.session).Unsubscribe("a"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				open()
				p.want("reply")
				if f := p.next(); f.ID != 70 || f.Op != "error" {
					t.Errorf("heard %v", f)
				}
				r.publish("a", "4")
				p.silent()
			})
		})
	}
}

// A subscription that begins while others catch up from a page of history is not in
// that page, and must miss nothing by it.
func TestSubscribeWhileAPageIsRead(t *testing.T) {
	o := openToAll
	longwire.Bound(&o, longwire.Bounds{Recent: 8})
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			gated(t, o, nil, func(t *testing.T, r *rig, b *gatedBroker) {
				r.numbers("a", 1, 30)
				p := r.dial(w, ways.Options{})
				at := r.publish("b", "0")
				r.numbers("b", 1, 4)
				open := b.shut(1) // its place is told, the page is not
				p.reply(`{"op":"subscribe","channel":"a","since":"last:30"}`)
				p.reply(`{"op":"subscribe","channel":"b","since":%q}`, at)
				open()
				var heard []string
				for len(heard) < 34 {
					f, ok := p.tryNext()
					if !ok {
						break
					}
					if f.Op == "message" {
						heard = append(heard, f.Channel+string(f.Data))
					}
				}
				if len(heard) != 34 {
					p.fatal("heard %d: %s", len(heard), strings.Join(heard, " "))
				}
			})
		})
	}
}

// A poll that a closing ends says where it stood, not where the node stands.
func TestClosedPollStandsWhereItWas(t *testing.T) {
	o := openToAll
	longwire.Bound(&o, longwire.Bounds{Recent: 8})
	gated(t, o, nil, func(t *testing.T, r *rig, b *gatedBroker) {
		w := way("poll")
		p := r.dial(w, ways.Options{})
		at := p.reply(`{"op":"subscribe","channel":"a"}`).Position
		p.hold() // one more poll waits
		r.numbers("a", 1, 1)
		synctest.Wait()
		r.publish("b", strings.Repeat("x", 100))
		open := b.shut(0)
		defer open()
		q, _ := p.again(w, at, "a")
		q.numbers("a", 1, 1)
		q.Cut()
		time.Sleep(2 * time.Second)
		r.numbers("a", 2, 20)
		n, err := r.tryDial(w, ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}, First: ""})
		if err != nil {
			t.Fatal(err)
		}
		n.connected()
		n.reply(`{"op":"unsubscribe","channel":"a"}`)
		n.say(`{"op":"subscribe","id":70,"channel":"a","since":%q}`, at) // from history, which is not read yet
		synctest.Wait()
		if err := r.node.Session(n.session).Close(longwire.Close{Code: wire.CodeGoingAway}); err != nil {
			t.Fatal(err)
		}
		n.ended(wire.CodeGoingAway)
		if s := n.Client.(interface{ Standing() string }).Standing(); s != "" && number(s) != number(at) {
			t.Errorf("it stood at %s, and says %s", at, s)
		}
	})
}

// Whoever comes back to a session that has just been closed gets a new one that is
// as good as any.
func TestBackToAClosedSession(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		if err := r.node.Session(p.session).Close(longwire.Close{Code: wire.CodeGoingAway}); err != nil {
			t.Fatal(err)
		}
		p.ended(wire.CodeGoingAway)
		n, err := r.tryDial(then, ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}})
		if err != nil {
			t.Fatal(err)
		}
		if n.connected(); n.session == p.session {
			t.Errorf("it is still session %s", n.session)
		}
		n.reply(`{"op":"subscribe","channel":"a"}`)
		r.numbers("a", 1, 3)
		at := n.numbers("a", 1, 3)
		n.silent()
		n.Cut()
		r.numbers("a", 4, 4)
		n, _ = n.again(first, at, "a")
		n.numbers("a", 4, 4)
	})
}

// Answers to calls of a link that was lost make room for those of the next one.
func TestRoomAfterAnswersToAnOldLink(t *testing.T) {
	var calls []*longwire.Call
	o := longwire.Options{Open: true, Rate: -1, Handler: longwire.Handler{
		Call: func(_ *longwire.Session, c *longwire.Call) { calls = append(calls, c) },
	}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		calls = nil
		p := r.dial(w, ways.Options{})
		for i := range 1024 {
			p.say(`{"op":"call","id":%d,"method":"m","data":1}`, 1000+i)
		}
		synctest.Wait()
		p.Cut()
		time.Sleep(2 * time.Second)
		n, _ := p.again(w, "")
		synctest.Wait()
		if len(calls) < 1024 {
			t.Fatalf("%d calls", len(calls))
		}
		for _, c := range calls {
			if err := c.Reply(longwire.JSON, []byte("1")); err != nil {
				t.Fatal(err)
			}
		}
		if f := n.ask(`{"op":"ping"}`); f.Op != "pong" {
			t.Errorf("heard %v", f)
		}
	})
}

// A POST that resumes by a long list of subscriptions finds its session, whatever
// loop that lives on.
func TestPollResumesByALongList(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		w := way("poll")
		for range 8 {
			p := r.dial(w, ways.Options{})
			var names []string
			for i := range 200 {
				names = append(names, fmt.Sprintf("a.channel.of.a.long.name.%d", i))
			}
			p.Cut()
			r.dial(way("tcp"), ways.Options{}) // the other loop has fewer links now
			n, _ := p.again(w, "all", names...)
			n.Cut()
		}
	})
}

// A link that was there before Drain, and says connect after it, is refused.
func TestConnectWhileDraining(t *testing.T) {
	for _, name := range []string{"tcp", "ws"} {
		inBubble(t, openToAll, func(t *testing.T, r *rig) {
			p := r.dial(way(name), ways.Options{Silent: true})
			synctest.Wait()
			if err := r.node.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.say(`{"op":"connect","id":70}`)
			p.isRefusal(p.want("error"), wire.CodeDraining)
			p.ended(wire.CodeDraining)
		})
	}
}

// What is posted and not taken up is bounded in bytes, too.
func TestPostsThatWaitAreBounded(t *testing.T) {
	var free chan struct{}
	o := longwire.Options{Open: true, Handler: longwire.Handler{
		Send: func(*longwire.Session, string, longwire.Kind, []byte) { <-free },
	}}
	inBubble(t, o, func(t *testing.T, r *rig) {
		free = make(chan struct{})
		defer close(free)
		p := r.dial(way("ndjson"), ways.Options{})
		send := fmt.Sprintf(`{"op":"send","method":"m","data":%q}`, strings.Repeat("x", 90<<10))
		taken := 0
		for range 16 {
			if r.do("POST", "/connect/"+p.session, send, "Longwire-Secret", p.secret).status == 202 {
				taken++
			}
		}
		if taken > 4 {
			t.Errorf("%d bodies of 90 KiB were taken over", taken)
		}
	})
}

// A session that is resumed belongs to whom the hook says this time.
func TestResumedPeer(t *testing.T) {
	n := 0
	o := longwire.Options{Open: true, Handler: longwire.Handler{
		Connect: func(context.Context, *longwire.ConnectRequest) (*longwire.Peer, error) {
			n++
			return &longwire.Peer{User: "ann", Tag: n}, nil
		},
	}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		n = 0
		p := r.dial(w, ways.Options{})
		p.Cut()
		p.again(w, "")
		if tag := r.node.Session(p.session).Peer().Tag; tag != 2 {
			t.Errorf("it is %v's", tag)
		}
	})
}

// Who has finished writing hears the answers to all that it wrote.
func TestLastFrameBehindAPublication(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		p := r.dial(way("tcp"), ways.Options{Silent: true})
		p.say("%s", `{"op":"publish","id":70,"channel":"a","data":1}`+"\n"+`{"op":"ping","id":71}`)
		if err := p.Client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.want("reply")
		p.want("pong")
		p.ended(wire.CodeNormal)
	})
}

// What the program pushes to a peer that does not read is bounded, and what was
// taken comes when it reads again.
func TestPushToWhoDoesNotRead(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.hold()
		s := r.node.Session(p.session)
		sent := 0
		for sent < 3000 {
			if err := s.Send("n", longwire.Binary, make([]byte, 1000)); err != nil {
				break
			}
			sent++
			synctest.Wait()
		}
		if sent == 3000 {
			t.Error("a peer that does not read was sent 3 MB")
		}
		p.free()
		for range sent {
			p.want("send")
		}
		if err := s.Send("n", longwire.JSON, []byte("1")); err != nil {
			t.Error(err)
		}
		p.want("send")
	})
}

// Pieces of history are not read on for a peer that does not take the first.
func TestHistoryForWhoDoesNotRead(t *testing.T) {
	gated(t, openToAll, nil, func(t *testing.T, r *rig, b *gatedBroker) {
		r.publish("a", strings.Repeat("x", 1<<20))
		p := r.dial(way("tcp"), ways.Options{})
		p.hold()
		for i := range 30 {
			p.say(`{"op":"history","id":%d,"channel":"a"}`, 100+i)
		}
		synctest.Wait()
		b.mu.Lock()
		if b.read > 4 {
			t.Errorf("%d pieces were read", b.read)
		}
		b.mu.Unlock()
		p.free()
		for i := range 30 {
			if f := p.want("reply"); f.ID != uint64(100+i) {
				p.fatal("heard %v", f)
			}
		}
	})
}
