package stream

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
)

// A fake is a receiver as a node has them, which tests steer.
type fake struct {
	*link
	heard  chan string
	closed chan *longwire.Close
	room   chan struct{} // Drained

	at    longwire.Position // what Header returns
	beat  func() bool
	order func(f *fake, frame string) // what is done about a frame; nil: nothing
}

func (f *fake) Receive(_ time.Time, k longwire.Kind, p []byte) {
	f.heard <- k.String() + " " + string(p)
	if f.order != nil {
		f.order(f, string(p))
	}
}

func (f *fake) Closed(_ time.Time, err error) { f.closed <- longwire.CloseOf(err, "") }
func (f *fake) Drained(time.Time) {
	select {
	case f.room <- struct{}{}:
	default:
	}
}

func (f *fake) Header(h http.Header) longwire.Position {
	h.Set("Longwire-Session", "s")
	return f.at
}

func (f *fake) Heartbeat(time.Time) bool { return f.beat != nil && f.beat() }

// send sends a frame, with a position if at is not empty. On the loop.
func (f *fake) send(frame string, at longwire.Position) {
	f.link.Send(longwire.NewMessageAt(longwire.JSON, []byte(frame), at))
}

// on runs do on the link's loop, and waits for it.
func (f *fake) on(do func()) {
	done := make(chan struct{})
	f.loop.Post(func(time.Time) { do(); close(done) })
	<-done
}

// A reader is a fake that is polled: it knows where it stands.
type reader struct {
	*fake
	stands    longwire.Position // owned by the loop
	unsettled bool              // owned by the loop
	asked     atomic.Int32      // times that Standing was called
}

func (r *reader) Standing(h http.Header) longwire.Position {
	r.asked.Add(1)
	h.Set("Longwire-Gap", "x")
	return r.stands
}

func (r *reader) Settled() bool { return !r.unsettled }

// A desk is an acceptor that makes such receivers.
type desk struct {
	t      testing.TB
	begin  func(f *fake) error   // in Accept; nil: nothing
	polled func(r *reader) error // the same, for links that are polled
	place  func(r *http.Request, body []byte) *loop.Loop
	opened chan *fake
	reads  chan *reader
	last   atomic.Pointer[link]
}

func newDesk(t testing.TB) *desk {
	return &desk{t: t, opened: make(chan *fake, 64), reads: make(chan *reader, 64)}
}

func (d *desk) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) {
	f := &fake{link: l.(*link), heard: make(chan string, 1000), closed: make(chan *longwire.Close, 1), room: make(chan struct{}, 1)}
	d.last.Store(f.link)
	if f.poll != nil {
		r := &reader{fake: f, stands: "1-1-1"}
		if d.polled != nil {
			if err := d.polled(r); err != nil {
				return nil, err
			}
		}
		d.reads <- r
		return r, nil
	}
	if d.begin != nil {
		if err := d.begin(f); err != nil {
			return nil, err
		}
	}
	d.opened <- f
	return f, nil
}

func (d *desk) LoopFor(r *http.Request, body []byte) *loop.Loop {
	if d.place == nil {
		return nil
	}
	return d.place(r, body)
}

// over is the handler that Way makes for d.
func (d *desk) over(session bool) *Handler {
	return Way.Handler(&longwire.WayOptions{Acceptor: d, Session: session}).(*Handler)
}

// route brings a request to a link that a desk knows, by /polled, else to h.
func route(h *Handler, w http.ResponseWriter, r *http.Request) {
	d, ok := h.Acceptor.(*desk)
	if !ok || r.URL.Path != "/polled" {
		h.ServeHTTP(w, r)
		return
	}
	d.last.Load().ServePoll(w, r)
}

const (
	session  = "AAAAAAAAAAAAAAAAAAAAAA"
	testTail = session + ".BBBBBBBBBBBBBBBBBBBBBB"
)
