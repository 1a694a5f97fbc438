package loop

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epollWaiter watches descriptors with an epoll instance that is itself
// parked in Go's netpoller: the loop's goroutine sleeps there like any
// goroutine that reads a socket, and no thread is blocked in a system call.
// (Blocking in epoll_wait was 15 to 25 % slower.)
//
// Descriptors are watched edge-triggered for everything at once, so that
// neither a pause nor a full socket costs a system call.
type epollWaiter struct {
	file   *os.File // the epoll instance
	raw    syscall.RawConn
	fd     int
	bell   int // eventfd
	events [turnWrites]unix.EpollEvent
	n      int
	due    time.Time          // the read deadline that is set
	look   func(uintptr) bool // bound once
}

// bellSlot marks the eventfd among the events.
const bellSlot = ^uint32(0)

func newWaiter(p Poller) (waiter, error) {
	if p == Goroutines {
		return newChanWaiter(), nil
	}
	w := &epollWaiter{fd: -1, bell: -1}
	if err := w.open(); err != nil {
		w.close()
		return nil, fmt.Errorf("loop: epoll: %w", err)
	}
	return w, nil
}

func (w *epollWaiter) open() (err error) {
	if w.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	// The os package gives a file to the netpoller only if it is non-blocking.
	if err = unix.SetNonblock(w.fd, true); err != nil {
		return err
	}
	if w.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: -1, Pad: 0}
	if err = unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, w.bell, &ev); err != nil {
		return err
	}
	w.file = os.NewFile(uintptr(w.fd), "epoll")
	w.look = func(uintptr) bool { w.poll(); return w.n > 0 }
	w.raw, err = w.file.SyscallConn()
	return err
}

func (w *epollWaiter) close() {
	if w.file != nil {
		w.file.Close()
	} else if w.fd >= 0 {
		unix.Close(w.fd)
	}
	if w.bell >= 0 {
		unix.Close(w.bell)
	}
}

func (w *epollWaiter) poll() {
	n, _, _ := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.fd),
		uintptr(unsafe.Pointer(&w.events[0])), uintptr(len(w.events)), 0, 0, 0)
	w.n = max(int(n), 0) // an interrupted call found nothing; the next one will
}

func (w *epollWaiter) sleep(due time.Time) {
	if !due.Equal(w.due) {
		w.due = due
		w.file.SetReadDeadline(due)
	}
	w.n = 0
	err := w.raw.Read(w.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.due = time.Time{}
		w.file.SetReadDeadline(w.due)
		w.poll()
	}
}

func (w *epollWaiter) wake() {
	one := [8]byte{1}
	unix.Write(w.bell, one[:])
}

func (w *epollWaiter) dispatch(l *Loop) {
	for i := range w.events[:w.n] {
		ev := &w.events[i]
		if uint32(ev.Fd) == bellSlot {
			continue // edge-triggered: its count need not be read
		}
		if s := l.table.get(uint32(ev.Fd), uint32(ev.Pad)); s != nil {
			s.event(ev.Events)
		}
	}
	w.n = 0
}

// event takes what epoll says of a socket.
func (s *Sock) event(e uint32) {
	if e&unix.EPOLLOUT != 0 && s.flags&fBlocked != 0 {
		s.flags &^= fBlocked
		s.dirty()
	}
	if e&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return
	}
	s.flags |= fReadable
	if e&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.flags |= fHup
		if e&unix.EPOLLERR != 0 && s.flags&(fPaused|fEnded) != 0 {
			s.cut(sockError(s.fd)) // nobody reads, so nobody else would notice
			return
		}
	}
	if s.flags&fQueued == 0 {
		s.read()
	}
}

func sockError(fd int32) error {
	n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && n != 0 {
		err = syscall.Errno(n)
	}
	if err == nil {
		err = syscall.ECONNRESET
	}
	return os.NewSyscallError("read", err)
}

// take duplicates the descriptor of a TCP connection and closes the original:
// File().Fd() would make it blocking for both.
func (w *epollWaiter) take(conn net.Conn) (int32, bool) {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return -1, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, false
	}
	fd := -1
	err = raw.Control(func(old uintptr) {
		fd, _ = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil || fd < 0 {
		return -1, false
	}
	c.Close()
	return int32(fd), true
}

func (w *epollWaiter) add(s *Sock) error {
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(s.slot), Pad: int32(s.gen),
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, int(s.fd), &ev))
}

func (w *epollWaiter) del(s *Sock) {
	unix.EpollCtl(w.fd, unix.EPOLL_CTL_DEL, int(s.fd), nil)
}

func recvFD(fd int32, p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN:
			return 0, errAgain
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// iovecs is what one writev may gather; a longer queue takes several.
type iovecs [64]unix.Iovec

func sendFD(fd int32, q *queue, v *iovecs) (int, error) {
	segs := q.segs[q.head:]
	for {
		var n uintptr
		var errno syscall.Errno
		if len(segs) == 1 {
			b := segs[0].b
			n, _, errno = syscall.Syscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		} else {
			k := min(len(segs), len(v))
			for i := range k {
				v[i].Base = unsafe.SliceData(segs[i].b)
				v[i].SetLen(len(segs[i].b))
			}
			n, _, errno = syscall.Syscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(v)), uintptr(k))
			clear(v[:k])
		}
		switch errno {
		case 0:
			return int(n), nil
		case unix.EAGAIN:
			return 0, errAgain
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("write", errno)
		}
	}
}

func shutFD(fd int32)  { unix.Shutdown(int(fd), unix.SHUT_WR) }
func closeFD(fd int32) { unix.Close(int(fd)) }

// connOf gives a descriptor back to the net package.
func connOf(fd int32) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	return net.FileConn(f)
}
