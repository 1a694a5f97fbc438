package client

import (
	"context"
	"iter"

	"github.com/longwire/longwire/wire"
)

// PublishOptions are what a publication may have beside its data. Nil means none.
type PublishOptions struct {
	// Key makes publishing safe to repeat: within the server's window, two minutes
	// mostly, a second publication to the channel with the same key is not
	// published again. At most 128 bytes. After a cut the client repeats
	// publications with keys by itself, as long as the window lasts.
	Key string
	// Headers are the publisher's own; at most 16, with at most 4 KiB in all.
	Headers map[string]string
}

// Publish publishes to a channel, and returns the publication's position once the
// server has acknowledged it. Errors of the server are an [Error]. One with the
// code outcome_unknown, or the context's, means that nobody knows whether it was published.
func (c *Client) Publish(ctx context.Context, channel string, d Data, o *PublishOptions) (position string, err error) {
	f, build, err := c.publishing(channel, d, o)
	if err != nil {
		return "", err
	}
	return ask(ctx, c, f, build, func(f *serverFrame) (string, error) { return f.Position, nil })
}

// PublishFunc is Publish for many at once, which arrive in the order of the calls. It waits only while
// there is too much under way: 1,024 frames, or 1 MiB. Done hears the outcome; it is called as hooks are. If
// an error is returned it is not called.
func (c *Client) PublishFunc(ctx context.Context, channel string, d Data, o *PublishOptions, done func(position string, err error)) error {
	f, build, err := c.publishing(channel, d, o)
	if err != nil {
		return err
	}
	_, err = c.start(ctx, f, build, func(f *serverFrame, err error) {
		if err != nil {
			done("", err)
			return
		}
		done(f.Position, nil)
	})
	return err
}

func (c *Client) publishing(channel string, d Data, o *PublishOptions) (fate, builder, error) {
	if o == nil {
		o = &PublishOptions{}
	}
	if err := wire.CheckChannel(channel); err != nil {
		return 0, nil, err
	}
	d, err := c.checked(d)
	if err != nil {
		return 0, nil, err
	}
	f := unknown
	if o.Key != "" {
		f = keyed
	}
	return f, func(dst []byte, id uint64) []byte {
		return wire.AppendPublish(dst, id, channel, d.Type, d.ContentType, d.Bytes, o.Key, o.Headers)
	}, nil
}

// Call asks the server's program for something, and returns its answer. A call that
// was under way when the connection was cut fails with outcome_unknown.
func (c *Client) Call(ctx context.Context, method string, d Data) (Data, error) {
	d, err := c.checked(d)
	if err != nil {
		return Data{}, err
	}
	return ask(ctx, c, unknown, func(dst []byte, id uint64) []byte {
		return wire.AppendCall(dst, id, method, d.Type, d.Bytes)
	}, func(f *serverFrame) (Data, error) {
		d, err := f.data()
		d.Bytes = append([]byte(nil), d.Bytes...)
		return d, err
	})
}

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

// History walks what is kept of a channel, a page at a time, until it has come to
// the end. The first element may be a [*GapError], and the walk goes on behind it. After any other
// error nothing more comes.
func (c *Client) History(ctx context.Context, channel string, o *HistoryOptions) iter.Seq2[*Message, error] {
	var h HistoryOptions
	if o != nil {
		h = *o
	}
	if h.Since == "" {
		h.Since = "all"
	}
	return func(yield func(*Message, error) bool) {
		left := h.Limit
		for since := h.Since; ; {
			page, err := c.page(ctx, channel, since, left)
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
			left -= len(page.messages)
			if len(page.messages) == 0 || h.Limit > 0 && left <= 0 || page.position == "" {
				return
			}
			since = page.position
		}
	}
}

type page struct {
	messages []*Message
	position string // where it ends
	gap      bool
}

func (c *Client) page(ctx context.Context, channel, since string, limit int) (*page, error) {
	if err := wire.CheckChannel(channel); err != nil {
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
