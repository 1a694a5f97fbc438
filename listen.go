package longwire

import (
	"context"
	"net"

	"github.com/longwire/longwire/internal/park"
)

// Listen announces on a TCP address such as "127.0.0.1:8080". Serve an
// http.Server on it, with Serve or ServeTLS: its connections can be parked on
// event loops once they are WebSockets or streams, TLS included. When no
// descriptors are left, those who connect are told with status 503, and
// accepting goes on as soon as some are free again.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	ln, err := park.Listen(ctx, "tcp", addr, nil)
	if err != nil {
		return nil, err // it says what is wrong with which address
	}
	return ln, nil
}

// WrapListener gives a listener of one's own what one made by [Listen] has.
// It must lie beneath TLS: wrap it before tls.NewListener does.
func WrapListener(ln net.Listener) net.Listener { return park.WrapListener(ln, nil) }
