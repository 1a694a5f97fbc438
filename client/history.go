package client

import (
	"context"
	"iter"

	"github.com/longwire/longwire/wire"
)

// A HistoryOptions says what to read of a channel's history.
type HistoryOptions struct {
	Since string // where to begin, as that of a subscription; empty means all
	Limit int    // at most so many; zero means all
}

// A GapError says that publications are missing before the first that follows.
type GapError struct{ Gap }

func (e *GapError) Error() string {
	return "client: publications of " + e.Channel + " are missing: what was asked for is not within its history"
}

// History walks what is kept of a channel, or of all that match a pattern, a page at a time, until it has
// come to the end. The first element may be a [*GapError], and so may be one between two pages or at the end; the walk goes
// on behind it. After any other error nothing more comes.
func (c *Client) History(ctx context.Context, channel string, o *HistoryOptions) iter.Seq2[*Message, error] {
	var h HistoryOptions
	if o != nil {
		h = *o
	}
	if h.Since == "" {
		h.Since = "all"
	}
	return func(yield func(*Message, error) bool) {
		for since, n := h.Since, 0; ; {
			most := pageMost
			if h.Limit > 0 {
				most = min(most, h.Limit-n)
			}
			page, err := c.page(ctx, channel, since, most)
			if err != nil {
				yield(nil, err)
				return
			}
			if page.gap && !yield(nil, &GapError{Gap{Channel: channel, After: since, Position: page.position}}) {
				return
			}
			for _, m := range page.messages {
				if !yield(m, nil) {
					return
				}
			}
			n += len(page.messages)
			if len(page.messages) == 0 || n == h.Limit || page.position == "" {
				return
			}
			since = page.position
		}
	}
}

// pageMost is what the server gives at once at most.
const pageMost = 1000

type page struct {
	messages []*Message
	position string // where it ends
	gap      bool
}

func (c *Client) page(ctx context.Context, channel, since string, limit int) (*page, error) {
	if err := wire.CheckPattern(channel); err != nil {
		return nil, err
	}
	return ask(ctx, c, again, func(dst []byte, id uint64) []byte {
		return wire.AppendHistory(dst, id, channel, since, limit)
	}, pageOf)
}

func pageOf(f *serverFrame) (*page, error) {
	p := &page{position: f.Position, gap: f.Gap}
	for _, raw := range f.Publications {
		item, err := parseFrame(raw) // of its own memory
		if err != nil {
			return nil, err
		}
		m, err := messageOf(item)
		if err != nil {
			return nil, err
		}
		p.messages = append(p.messages, m)
	}
	return p, nil
}
