//go:build linux

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// dialBatch is how many handshakes are under way at once: enough to keep the server busy, far below the accept
// backlog, so that no SYN is ever dropped and retried a second later.
const dialBatch = 64

// dialTimeout bounds each blocking read of a handshake.
const dialTimeout = 10 * time.Second

// A fleet is the client's sockets, bare descriptors without a goroutine or buffer each.
type fleet struct{ fds []int }

// A greeting is what a client writes on a link to begin with, and how it knows that the answer is whole.
type greeting struct {
	say   func(i int) []byte // on the i-th link of the fleet
	heard func(p []byte) (whole bool, err error)
}

// asking greets by an HTTP request. The response headers must begin with want; what comes along with them is dropped.
func asking(request, want string) greeting {
	return greeting{
		say: func(int) []byte { return []byte(request) },
		heard: func(p []byte) (bool, error) {
			if !bytes.Contains(p, []byte("\r\n\r\n")) {
				return false, nil
			}
			if !bytes.HasPrefix(p, []byte(want)) {
				return false, fmt.Errorf("handshake answered %.400q", p)
			}
			return true, nil
		},
	}
}

// upgrading asks for a WebSocket.
func upgrading() greeting { return asking(upgradeTo("/"), statusSwitching) }

// dialFleet opens n connections to addr and exchanges the greetings on each of them, one after another.
func dialFleet(addr string, n int, greetings ...greeting) (*fleet, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	to := &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	f := &fleet{fds: make([]int, 0, n)}
	for len(f.fds) < n {
		first := len(f.fds)
		for range min(dialBatch, n-first) {
			if err := f.dial(to); err != nil {
				return nil, errors.Join(fmt.Errorf("connection %d: %w", len(f.fds), err), f.close())
			}
		}
		for _, g := range greetings {
			if err := f.greet(first, g); err != nil {
				return nil, errors.Join(fmt.Errorf("connections from %d on: %w", first, err), f.close())
			}
		}
	}
	return f, nil
}

func (f *fleet) dial(to unix.Sockaddr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f.fds = append(f.fds, fd)
	timeout := unix.NsecToTimeval(int64(dialTimeout))
	return errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		// A reset at the end leaves no TIME_WAIT, of which there would soon be more than ports.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.Connect(fd, to))
}

// greet writes on all links from the first on, then reads the answers.
func (f *fleet) greet(first int, g greeting) error {
	for i, fd := range f.fds[first:] {
		if _, err := unix.Write(fd, g.say(first+i)); err != nil {
			return err
		}
	}
	buf := make([]byte, 4096)
	for _, fd := range f.fds[first:] {
		for n, whole := 0, false; !whole; {
			if n == len(buf) {
				buf = append(buf, buf...)
			}
			m, err := readBlocking(fd, buf[n:])
			if err != nil || m <= 0 {
				return fmt.Errorf("handshake: %w after %.400q", cmp.Or(err, io.EOF), buf[:n])
			}
			n += m
			if whole, err = g.heard(buf[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fleet) nonblocking() error {
	for _, fd := range f.fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			return err
		}
	}
	return nil
}

// exchange writes out on every socket in turn, blocking, and wants to read back exactly back.
func (f *fleet) exchange(out, back []byte) error {
	buf := make([]byte, len(back))
	for _, fd := range f.fds {
		if _, err := unix.Write(fd, out); err != nil {
			return err
		}
		for n := 0; n < len(buf); {
			m, err := readBlocking(fd, buf[n:])
			if err != nil || m <= 0 {
				return fmt.Errorf("echo: %w", cmp.Or(err, io.EOF))
			}
			n += m
		}
		if !bytes.Equal(buf, back) {
			return fmt.Errorf("echo answered %q, want %q", buf, back)
		}
	}
	return nil
}

// readBlocking goes on after the runtime's signals, which the kernel does not do for a socket with a timeout.
func readBlocking(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (f *fleet) close() error {
	var errs []error
	for _, fd := range f.fds {
		errs = append(errs, unix.Close(fd))
	}
	f.fds = nil
	return errors.Join(errs...)
}
