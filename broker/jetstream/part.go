package jetstream

import (
	"slices"
	"sync"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A part is one partition: a stream, and the publications that are on their way into it. Those
// stand in one queue from Publish until their publishers were told, in order:
//
//	told │ sent, some of them acknowledged │ not sent yet
//
// so outcomes are told in the order of the calls, whatever order they come in.
type part struct {
	// Immutable.
	index   int
	class   longwire.Class
	stream  string
	subject string // what the subjects begin with
	reply   string // what the subjects of acknowledgements begin with

	mu sync.Mutex
	// Guarded by mu.
	queue   []*item
	base    uint64 // the count of queue[0]: counted from the beginning of the process
	sent    int    // so many of queue were sent
	bytes   int
	largest int    // of what was sent, in bytes
	looked  uint64 // the count up to which there was something sent when the watcher looked
	ended   bool

	// Owned by the teller.
	last     uint64                  // followers were told of all up to this number
	acked    uint64                  // the highest that was acknowledged
	behind   bool                    // followers are to be told of what is read, not of what is acknowledged
	news     []*longwire.Publication // of a cluster: to be told now
	arrived  []arrival               // and what its feed brought behind that
	own      []*longwire.Publication // what was acknowledged and not told yet, by number
	ownBytes int
	stamp    time.Time // when the stream took the publication last; zero if that is not known
	forgets  []forget  // to be told

	crowds crowds // has its own lock

	// Guarded by gone.
	gone sync.Mutex
	lost uint64 // what is known to have been dropped for want of room, up to this number
}

// An item is one publication on its way.
type item struct {
	p       *longwire.Publication
	done    func(*longwire.Publication, error)
	kept    *longwire.Publication // the outcome: p, or the first with its key
	err     error
	number  uint64 // if it was acknowledged as a new one
	settled bool
	heard   bool // its key was used before, and what it was is being read
}

// What may be on its way in a partition; beyond it publications are refused.
const (
	maxItems     = 1 << 16
	maxItemBytes = 256 << 20
	itemBytes    = 256 // of an item without its data
)

var (
	errClosed     = wire.Errorf(wire.CodeUnavailable, "the broker is closed")
	errOverloaded = &wire.Error{Code: wire.CodeOverloaded}
	errNoSpace    = &wire.Error{Code: wire.CodeNoSpace}
	errBroken     = wire.Errorf(wire.CodeNoSpace, "the store could not write; make room on its disk, and it is started again by itself")
)

// put puts an item into the queue. It reports whether somebody is to be woken: the sender,
// or, for one that is settled, the teller.
func (p *part) put(it *item) bool {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		it.done(nil, errClosed)
		return false
	}
	defer p.mu.Unlock()
	if !it.settled && (len(p.queue) >= maxItems || p.bytes >= maxItemBytes) {
		it.settle(nil, errOverloaded)
	}
	p.bytes += it.cost()
	p.queue = append(p.queue, it)
	return true
}

func (it *item) cost() int { return itemBytes + len(it.p.Data) }

func (it *item) settle(kept *longwire.Publication, err error) {
	it.kept, it.err, it.settled = kept, err, true
}

// An outgoing item is one that is to be sent.
type outgoing struct {
	it    *item
	count uint64
}

// unsent takes what is to be sent, at most so much. It reports whether there was anything, and
// whether some of it is settled already.
func (p *part) unsent(dst []outgoing, most int) (list []outgoing, more, settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for end := min(len(p.queue), p.sent+most); p.sent < end; p.sent++ {
		more = true
		if it := p.queue[p.sent]; it.settled {
			settled = true
		} else {
			dst = append(dst, outgoing{it, p.base + uint64(p.sent)})
		}
	}
	return dst, more, settled
}

// settle settles the item with a count, unless that was done. It returns the item, or nil.
func (p *part) settle(count uint64, kept *longwire.Publication, err error) *item {
	p.mu.Lock()
	defer p.mu.Unlock()
	it := p.find(count)
	if it == nil || it.settled {
		return nil
	}
	it.settle(kept, err)
	return it
}

// find returns the item with a count, nil if its publisher was told already. With mu held.
func (p *part) find(count uint64) *item {
	if count < p.base || count-p.base >= uint64(len(p.queue)) {
		return nil
	}
	return p.queue[count-p.base]
}

// takeSettled takes from the front what is settled.
func (p *part) takeSettled(dst []*item) []*item {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < p.sent && p.queue[n].settled {
		p.bytes -= p.queue[n].cost()
		dst = append(dst, p.queue[n])
		p.queue[n] = nil
		n++
	}
	p.queue = p.queue[n:]
	p.base += uint64(n)
	p.sent -= n
	return dst
}

// unsettle gives up all that was sent and has no answer. By the teller.
func (p *part) unsettle(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range p.queue[:p.sent] {
		if !it.settled {
			it.settle(nil, err)
		}
	}
}

// end takes all that is left; nothing comes after it.
func (p *part) end() []*item {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	left := p.queue
	p.queue, p.sent, p.bytes = nil, 0, 0
	return left
}

// grow notes how large a publication is.
func (p *part) grow(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.largest = max(p.largest, bytes)
}

// waiting returns how many bytes are on their way to the disk.
func (p *part) waiting() int64 {
	if !p.onDisk() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.bytes)
}

// onDisk reports whether what is published takes room on a disk.
func (p *part) onDisk() bool { return p.class.KeepsHistory() && !p.class.Memory }

// quiet reports whether nothing that was sent waits for its answer.
func (p *part) quiet() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.queue[:p.sent], func(it *item) bool { return !it.settled })
}

// stuck reports whether something was sent before the last time that it was asked, and neither that nor anything sent
// later has been acknowledged since. Acknowledgements come in the order of sending, so for one that was passed over none will come.
func (p *part) stuck() (stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	passed := false
	for i := p.sent - 1; i >= 0; i-- {
		it := p.queue[i]
		passed = passed || it.number > 0
		switch {
		case it.settled || it.heard || p.base+uint64(i) >= p.looked:
		case passed:
			it.settle(nil, errUnknown)
		default:
			stuck = true
		}
	}
	p.looked = p.base + uint64(p.sent)
	return stuck
}

// idle reports whether all publishers were told.
func (p *part) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) == 0
}
