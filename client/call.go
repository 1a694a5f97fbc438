package client

import (
	"context"

	"github.com/longwire/longwire/wire"
)

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
