//go:build !linux

package park

import (
	"errors"
	"net"
	"net/netip"
)

// Without epoll no loop watches bare descriptors, so none are accepted.
type fdAcceptor struct{}

func newFDAcceptor(net.Listener) (*fdAcceptor, error) { return nil, errors.ErrUnsupported }

func (*fdAcceptor) Close() error            { return nil }
func (*fdAcceptor) accept() (fdConn, error) { return fdConn{}, errors.ErrUnsupported }

type fdConn struct {
	fd     int
	remote netip.AddrPort
}

func (fdConn) Read([]byte) (int, error)  { return 0, net.ErrClosed }
func (fdConn) Write([]byte) (int, error) { return 0, net.ErrClosed }
func (fdConn) Close() error              { return nil }

// someoneWaits reports whether a connection waits to be accepted: where accept
// looks at that first, that is so when it fails.
func someoneWaits(net.Listener) bool { return true }
