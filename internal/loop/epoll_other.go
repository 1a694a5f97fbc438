//go:build !linux

package loop

import (
	"errors"
	"net"
)

func newWaiter(p Poller) (waiter, error) {
	if p == Epoll {
		return nil, errors.New("loop: there is no epoll on this platform; leave Poller at Auto")
	}
	return newChanWaiter(), nil
}

// Without epoll no socket has a descriptor of its own.

type iovecs struct{}

func recvFD(int32, []byte) (int, error)          { return 0, net.ErrClosed }
func sendFD(int32, *queue, *iovecs) (int, error) { return 0, net.ErrClosed }
func failureFD(int32) error                      { return net.ErrClosed }
func shutFD(int32)                               {}
func closeFD(int32)                              {}
func connOf(int32) (net.Conn, error)             { return nil, net.ErrClosed }
