package longwire

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/longwire/longwire/wire"
)

// A historyPage is a piece of what a channel, or all that a pattern matches,
// keeps. Who asks again from its position goes on behind it.
type historyPage struct {
	channel      string // or pattern
	publications []*Publication
	position     Position
	at           []uint64 // the numbers of position
	gap          bool     // what was asked for is not all there
}

// A page has at most so many publications, and ends with the one by which its data
// reaches historyBytes.
const (
	historyDefault = 100
	historyMost    = 1000
	historyBytes   = 1 << 20
)

// historySince reads where a page begins. Unless that is said it is the oldest
// kept: from now on there is never anything.
func historySince(s string) (since, error) {
	if s == "" {
		return since{all: true}, nil
	}
	return parseSince(s)
}

// history reads a page; a limit of zero is the default one. It must not be
// called on a loop. Who may read is for the caller to know.
func (n *Node) history(ctx context.Context, channel string, from since, limit int) (*historyPage, error) {
	if limit <= 0 {
		limit = historyDefault
	}
	limit = min(limit, historyMost)
	now := time.Now()
	page := &historyPage{channel: channel, gap: from.told && !n.keepsHistory(channel)} // as a subscription is told
	// What the feed has told of can be read. So where all is read that there is, the
	// page stands here at least, however little of that is this channel's.
	in := n.spanOf(channel)
	page.at = make([]uint64, in.to-in.from)
	for i := range page.at {
		page.at[i] = n.postedIn(in.from + i)
	}
	if !from.now() {
		if err := page.read(ctx, n, in, from, limit, now); err != nil {
			return nil, err
		}
	}
	page.position = n.historyPosition(page.at, in, now)
	if i := len(page.publications) - 1; i >= 0 && in.to-in.from == 1 && page.publications[i].Number == page.at[0] {
		page.position = page.publications[i].Position()
	}
	return page, nil
}

// historyPosition returns the position of numbers in some partitions, which are one or all.
func (n *Node) historyPosition(at []uint64, in span, now time.Time) Position {
	if len(at) == 1 {
		return formatIn(n.epoch.Load(), in.from, at[0], now)
	}
	var m marks
	copy(m[:], at)
	return formatMarks(n.epoch.Load(), &m, n.parts, now)
}

// read fills the page. What is in several partitions is merged by time, which keeps each channel's
// order.
func (h *historyPage) read(ctx context.Context, n *Node, in span, from since, limit int, now time.Time) error {
	var heads []*historyHead
	defer func() {
		for _, d := range heads {
			d.stop()
		}
	}()
	for i := range h.at {
		r := &Range{Partition: in.from + i, Channels: []string{h.channel}, Limit: limit}
		from.fill(r, now, n.parts)
		d := &historyHead{i: i}
		if from.told && r.After != noNumber {
			d.since = r.After
		}
		d.next, d.stop = iter.Pull2(n.broker.Read(ctx, r))
		heads = append(heads, d)
		if err := h.move(d); err != nil {
			return err
		}
	}
	for {
		var first *historyHead
		for _, d := range heads {
			if d.p != nil && (first == nil || d.p.Time.Before(first.p.Time)) {
				first = d
			}
		}
		if first == nil {
			return nil
		}
		h.publications = append(h.publications, first.p)
		first.last = first.p.Number
		if h.full(limit) {
			break
		}
		if err := h.move(first); err != nil {
			return err
		}
	}
	for _, d := range heads {
		if d.p != nil { // it has more than the page, or its last is the page's
			h.at[d.i] = max(d.last, d.from)
		}
	}
	return nil
}

// A historyHead is where the read of one partition is.
type historyHead struct {
	i     int // in at
	next  func() (*Publication, error, bool)
	stop  func()
	p     *Publication // the next, or the page's last; nil at the end
	last  uint64       // the last that is in the page
	from  uint64       // before the first that came
	since uint64       // where whoever asks stands; zero if that is not known, or not within history
}

// move goes on to the next publication of a partition, and notes a gap.
func (h *historyPage) move(d *historyHead) error {
	for {
		p, err, more := d.next()
		if _, ok := errors.AsType[*GapError](err); ok {
			h.gap, d.since = true, 0
			continue
		}
		if !more || err != nil {
			d.p = nil
			h.at[d.i] = max(h.at[d.i], d.last, d.since) // what is told of later may be read before
			return err
		}
		if d.p = p; d.from == 0 && d.last == 0 {
			d.from = p.Number - 1
		}
		return nil
	}
}

func (h *historyPage) full(limit int) bool {
	bytes := 0
	for _, p := range h.publications {
		bytes += len(p.Data)
	}
	return len(h.publications) >= limit || bytes >= historyBytes
}

// append appends the members of a page, each with a comma before it.
func (h *historyPage) append(dst []byte) []byte {
	dst = wire.AppendMember(dst, "channel", h.channel)
	dst = append(dst, `,"publications":[`...)
	for i, p := range h.publications {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendItemHead(dst, p.Channel, string(p.Position()))
		dst = wire.AppendMessageTail(dst, wire.Type(p.Kind), p.ContentType, p.Data, p.Time, p.From, p.Headers)
	}
	dst = wire.AppendMember(append(dst, ']'), "position", string(h.position))
	if h.gap {
		dst = wire.AppendTrue(dst, "gap")
	}
	return dst
}
