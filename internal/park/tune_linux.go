package park

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// perConnKeepAlive is what the net package shall set on each connection:
// nothing, they inherit it.
func perConnKeepAlive(*Options) time.Duration { return -1 }

// tune sets options of the connections that ln will accept: once, on the
// listening socket, from which they inherit them. It returns a function for
// each connection if they do not, as under Multipath TCP; net.Listen has that
// on by default. An option that an old kernel refuses is done without.
func tune(ln *net.TCPListener, o *Options) func(fd int) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil
	}
	set := func(fd int) {
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentBytes)
		if d := or(o.UserTimeout, defaultUserTimeout); d > 0 {
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
		}
		d := or(o.KeepAlive, defaultKeepAlive)
		if d == 0 {
			return
		}
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(max(d, time.Second).Seconds()))
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveInterval.Seconds()))
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount)
	}
	multipath := false
	_ = raw.Control(func(fd uintptr) {
		proto, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		multipath = proto == unix.IPPROTO_MPTCP
		set(int(fd))
	})
	if multipath {
		return set
	}
	return nil
}
