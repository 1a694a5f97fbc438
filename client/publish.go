package client

import (
	"context"

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
