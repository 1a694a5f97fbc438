//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A crew is the client of every workload: two goroutines, each with an epoll of its own over half of the sockets, one
// read per event, no timer and no allocation per message. It shares two cores with the server under test, so what it
// costs is taken from every server alike.
type crew struct {
	workers []*worker
	fleet   *fleet

	stop atomic.Bool
	wg   sync.WaitGroup // the workers
}

// A link is one socket; it belongs to its worker while the crew runs.
type link struct {
	fd   int
	i    int // its place in the fleet
	msgs int // messages received, as the workload counts them
	part int // bytes received of a message not yet whole
	open int // publications that it has begun by itself

	pieces // of messages whose size is not known beforehand
}

type worker struct {
	// Immutable after newCrew.
	ep     int
	crew   *crew
	onRead func(*worker, *link, []byte) (int, error) // returns how many messages are whole now
	onTurn func(*worker) error                       // after each batch of events; may be nil
	turn   int                                       // ms that it waits for events before it looks whether to stop

	// Owned by the worker's goroutine; by anyone after halt.
	links []link
	buf   []byte
	err   error

	msgs atomic.Int64
	low  atomic.Int64 // broadcast: messages that all sampled links have
}

const crewSize = 2

const turnMillis = 20

// newCrew gives each worker every second socket or, where sockets belong together in groups, every second group. On an
// error the fleet is closed, as it is by halt otherwise.
func newCrew(f *fleet, group int, onRead func(*worker, *link, []byte) (int, error), onTurn func(*worker) error) (*crew, error) {
	c := &crew{fleet: f}
	err := f.nonblocking()
	for range crewSize {
		ep, err1 := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		err = errors.Join(err, err1)
		c.workers = append(c.workers, &worker{
			ep: ep, crew: c, onRead: onRead, onTurn: onTurn, turn: turnMillis, buf: make([]byte, 64<<10),
		})
	}
	for i, fd := range f.fds {
		w := c.workers[i/group%crewSize]
		event := &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(w.links))}
		err = errors.Join(err, unix.EpollCtl(w.ep, unix.EPOLL_CTL_ADD, fd, event))
		w.links = append(w.links, link{fd: fd, i: i})
	}
	if err != nil {
		return nil, errors.Join(err, c.halt())
	}
	return c, nil
}

// start writes opening on every link, if there is one, and sets the workers going.
func (c *crew) start(opening []byte) error {
	for _, fd := range c.fleet.fds {
		if len(opening) > 0 {
			if err := writeAll(fd, opening); err != nil {
				return err
			}
		}
	}
	for _, w := range c.workers {
		c.wg.Go(func() { w.err = w.run() })
	}
	return nil
}

// rest stops the workers and waits for them; the sockets stay open.
func (c *crew) rest() {
	c.stop.Store(true)
	c.wg.Wait()
}

// halt stops the workers, closes everything and tells what went wrong in them.
func (c *crew) halt() error {
	c.rest()
	var errs []error
	for _, w := range c.workers {
		errs = append(errs, w.err, unix.Close(w.ep))
	}
	return errors.Join(append(errs, c.fleet.close())...)
}

func (c *crew) msgs() (n int64) {
	for _, w := range c.workers {
		n += w.msgs.Load()
	}
	return n
}

func (w *worker) run() error {
	events := make([]unix.EpollEvent, 256)
	for !w.crew.stop.Load() {
		n, err := unix.EpollWait(w.ep, events, w.turn)
		if err != nil && err != unix.EINTR {
			return err
		}
		got := 0
		for _, e := range events[:max(n, 0)] {
			l := &w.links[e.Fd]
			n, err := read(l.fd, w.buf)
			if err == unix.EAGAIN {
				continue
			}
			if err != nil || n == 0 {
				return fmt.Errorf("a link ended: %w", cmp.Or(err, io.EOF))
			}
			msgs, err := w.onRead(w, l, w.buf[:n])
			if err != nil {
				return err
			}
			l.msgs += msgs
			got += msgs
		}
		w.msgs.Add(int64(got))
		if w.onTurn != nil {
			if err := w.onTurn(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// read and write skip the scheduler's bookkeeping around system calls, which is right for sockets that never block.
func read(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func write(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writeAll is for what always fits the socket's buffer; when it does not, the workload asks for too much.
func writeAll(fd int, p []byte) error {
	n, err := write(fd, p)
	if err == nil && n < len(p) {
		err = unix.EAGAIN
	}
	if err != nil {
		return fmt.Errorf("client write of %d bytes: %d: %w", len(p), n, err)
	}
	return nil
}
