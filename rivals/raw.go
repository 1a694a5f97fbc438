//go:build linux

package main

import (
	"net/netip"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// raw is the least that can be done with system calls: an epoll loop per core, one read and one write per event, no
// state for a TCP connection. Its broadcast is the ceiling that coalescing is measured against: one write(2) for each
// message and socket, over a frame built once.
func init() {
	Register(Server{Name: "raw", Workloads: []string{TCPEcho, IdleTCP, WSEcho, IdleWS, Broadcast, Accept}, Start: startRaw})
	Register(Server{Name: "raw", Workloads: []string{SessionBroadcast}, Start: startRaw, Speaks: &rawWS})
}

type rawLoop struct {
	ep       int
	everyone *fan[int, []byte] // WebSocket only; nil otherwise

	mu    sync.Mutex
	conns map[int]*rawConn // guarded by mu; WebSocket only
	buf   []byte           // owned by the loop's goroutine
}

func startRaw(o *Options) (*Running, error) {
	ln, err := rawListen(o.Addr)
	if err != nil {
		return nil, err
	}
	r := &Running{}
	var everyone *fan[int, []byte]
	if o.Workload != TCPEcho && o.Workload != IdleTCP {
		everyone = newFan(rawWriteAll)
		r.Publish = func(p []byte) { everyone.publish(serverFrame(finBinary, p)) }
	}
	loops := make([]*rawLoop, runtime.GOMAXPROCS(0))
	for i := range loops {
		ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return nil, err
		}
		loops[i] = &rawLoop{ep: ep, everyone: everyone, conns: map[int]*rawConn{}, buf: make([]byte, 64<<10)}
		go loops[i].run() // until the process ends
	}
	go func() { // until the process ends
		for next := 0; ; next++ {
			fd, _, err := unix.Accept4(ln, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err != nil {
				continue
			}
			loops[next%len(loops)].add(fd)
		}
	}()
	return r, nil
}

func rawListen(addr string) (int, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return 0, err
	}
	return fd, unix.Listen(fd, 4096)
}

func (l *rawLoop) add(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if l.everyone != nil {
		l.mu.Lock()
		l.conns[fd] = &rawConn{}
		l.mu.Unlock()
	}
	event := &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, event) != nil {
		_ = unix.Close(fd)
	}
}

func (l *rawLoop) run() {
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(l.ep, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, e := range events[:max(n, 0)] {
			l.serve(int(e.Fd))
		}
	}
}

func (l *rawLoop) serve(fd int) {
	n, err := read(fd, l.buf)
	switch {
	case err == unix.EAGAIN:
	case err != nil || n == 0:
		l.drop(fd)
	case l.everyone == nil:
		rawWriteAll(fd, l.buf[:n])
	default:
		if !l.conn(fd).received(l, fd, l.buf[:n]) {
			l.drop(fd)
		}
	}
}

func (l *rawLoop) conn(fd int) *rawConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns[fd]
}

func (l *rawLoop) drop(fd int) {
	if l.everyone != nil {
		l.everyone.leave(fd, fd)
		l.mu.Lock()
		delete(l.conns, fd)
		l.mu.Unlock()
	}
	_ = unix.Close(fd)
}

// rawWriteAll waits for a socket that is full; one that is dead is found by its loop.
func rawWriteAll(fd int, p []byte) {
	for len(p) > 0 {
		n, err := write(fd, p)
		switch err {
		case nil:
			p = p[n:]
		case unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 100)
		default:
			return
		}
	}
}
