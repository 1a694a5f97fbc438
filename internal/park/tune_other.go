//go:build !linux

package park

import (
	"net"
	"time"
)

// perConnKeepAlive is what the net package shall set on each connection.
func perConnKeepAlive(o *Options) time.Duration {
	if o.KeepAlive < 0 {
		return -1
	}
	return or(o.KeepAlive, defaultKeepAlive)
}

// tune does nothing: what connections inherit differs from system to system,
// and the net package sets TCP_NODELAY and keep-alive itself.
func tune(*net.TCPListener, *Options) func(fd int) { return nil }
