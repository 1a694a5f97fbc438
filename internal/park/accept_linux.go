package park

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An fdAcceptor accepts bare descriptors from a TCP listener, so that a
// connection that goes straight to a loop never becomes a net.Conn. It works
// on a duplicate of the listening descriptor, parked in Go's netpoller, because
// the net package does not let others accept on its own.
type fdAcceptor struct {
	file *os.File
	raw  syscall.RawConn
}

func newFDAcceptor(ln net.Listener) (*fdAcceptor, error) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	lraw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var derr error
	if err = lraw.Control(func(f uintptr) { fd, derr = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if derr != nil {
		return nil, os.NewSyscallError("fcntl", derr)
	}
	f := os.NewFile(uintptr(fd), "listener") // it is non-blocking already, so this parks it in the netpoller
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &fdAcceptor{file: f, raw: raw}, nil
}

// Close ends a waiting accept.
func (a *fdAcceptor) Close() error { return a.file.Close() }

func (a *fdAcceptor) accept() (c fdConn, err error) {
	var aerr error
	err = a.raw.Read(func(f uintptr) bool {
		for {
			var sa unix.Sockaddr
			c.fd, sa, aerr = unix.Accept4(int(f), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			switch aerr {
			case nil:
				c.remote = addrPort(sa)
				return true
			case unix.EAGAIN:
				return false
			case unix.EINTR, unix.ECONNABORTED:
			case unix.EMFILE, unix.ENFILE:
				return readable(int(f)) // if nobody waits, there is time
			default:
				return true
			}
		}
	})
	if err == nil {
		err = os.NewSyscallError("accept4", aerr)
	}
	return c, err
}

// someoneWaits reports whether a connection waits to be accepted, as far as
// that can be known.
func someoneWaits(ln net.Listener) bool {
	waits := true
	if tcp, ok := ln.(*net.TCPListener); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { waits = readable(int(fd)) }) // closed: accept will say so
		}
	}
	return waits
}

func readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return n != 0 || err != nil
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			if ifi, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				ip = ip.WithZone(ifi.Name)
			}
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// An fdConn is an accepted descriptor on its way to a loop. It is a
// connection by itself only to be told that the server is full; with no
// descriptor left, the net package could not make one of it.
type fdConn struct {
	fd     int
	remote netip.AddrPort
}

func (c fdConn) Read(p []byte) (int, error)  { return c.try(unix.POLLIN, p, unix.Read) }
func (c fdConn) Write(p []byte) (int, error) { return c.try(unix.POLLOUT, p, unix.Write) }
func (c fdConn) CloseWrite() error           { return unix.Shutdown(c.fd, unix.SHUT_WR) }
func (c fdConn) Close() error                { return unix.Close(c.fd) }

// SetDeadline is there to say that Read and Write do not wait for ever.
func (c fdConn) SetDeadline(time.Time) error { return nil }

func (c fdConn) try(event int16, p []byte, do func(int, []byte) (int, error)) (int, error) {
	for {
		n, err := do(c.fd, p)
		switch {
		case err == nil && n == 0:
			return 0, os.ErrClosed
		case err == nil:
			return n, nil
		case err == unix.EINTR:
			continue
		case err != unix.EAGAIN:
			return 0, err
		}
		fds := []unix.PollFd{{Fd: int32(c.fd), Events: event}}
		if n, err := unix.Poll(fds, int(fullWait.Milliseconds())); n == 0 || err != nil {
			return 0, os.ErrDeadlineExceeded
		}
	}
}
