package longwire

import (
	"context"
	"errors"
	"time"

	"github.com/longwire/longwire/wire"
)

// A historyPage is a piece of what a channel, or all that a pattern matches,
// keeps. Who asks again from its position goes on behind it.
type historyPage struct {
	channel      string // or pattern
	publications []*Publication
	position     Position
	gap          bool // what was asked for is not all there
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
	page := &historyPage{channel: channel}
	// What the feed has told of can be read. So where all is read that there is, the
	// page stands here at least, however little of that is this channel's.
	head := n.posted.Load()
	page.position = formatPosition(n.epoch.Load(), head, now)
	if from.now() {
		return page, nil
	}
	r := &Range{Channels: []string{channel}, Limit: limit}
	from.fill(r, now)
	if err := page.read(ctx, n.broker, r); err != nil {
		return nil, err
	}
	if i := len(page.publications) - 1; i >= 0 {
		if last := page.publications[i]; page.full(limit) || last.Number >= head {
			page.position = last.Position()
		}
	}
	return page, nil
}

func (h *historyPage) read(ctx context.Context, b Broker, r *Range) error {
	for p, err := range b.Read(ctx, r) {
		if _, ok := errors.AsType[*GapError](err); ok {
			h.gap = true
			continue
		}
		if err != nil {
			return err
		}
		h.publications = append(h.publications, p)
		if h.full(r.Limit) {
			break
		}
	}
	return nil
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
