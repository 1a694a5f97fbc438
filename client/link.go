package client

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire/wire"
)

// maxFrame bounds what a server can make a client remember of one frame. It is
// far above a message of 1 MiB whose every byte is escaped.
const maxFrame = 16 << 20

// A way opens links. It is used by one goroutine.
type way interface {
	// open opens a link and sends its greeting. The context bounds the opening only.
	open(ctx context.Context, g *greeting) (link, error)
	// close gives back what links share.
	close()
}

// A link is one connection by any way in: client frames go up, the server's
// frames come down.
type link interface {
	// send sends frames in order; none if the link only asked for a call. It may
	// block. One goroutine at a time; it keeps nothing.
	send(frames [][]byte) error
	// receive returns the next frame, which is valid until it is called again.
	// After an error nothing more comes. The server's reason, if it gave one
	// outside a frame, is a [wire.Error].
	receive() ([]byte, error)
	// bye says goodbye where the way can. It is called as send is, last.
	bye()
	// close ends the link at once. Any goroutine, any number of times.
	close()
}

// A patient reader ends a link from which nothing comes. Time counts only while
// somebody reads: one who is busy with what came before is not kept from it.
type patient struct {
	r     io.Reader
	after time.Duration
	close func()

	timer *time.Timer
	late  atomic.Bool
}

func newPatient(r io.Reader, after time.Duration, end func()) *patient {
	p := &patient{r: r, after: after, close: end}
	p.timer = time.AfterFunc(after, func() {
		p.late.Store(true)
		p.close()
	})
	p.timer.Stop()
	return p
}

// Read implements [io.Reader].
func (p *patient) Read(b []byte) (int, error) {
	p.timer.Reset(p.after)
	n, err := p.r.Read(b)
	p.timer.Stop()
	if p.late.Load() {
		return 0, wire.Errorf(wire.CodeIdleTimeout, "nothing came for %v", p.after)
	}
	return n, err
}
