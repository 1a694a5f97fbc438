//go:build linux

package main

import (
	"bytes"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// raw in session-chat is what a publication to a channel of two costs in system calls: one read, then three writes, the
// answer to the publisher and the message to both. It knows a pair by the path that both ask for, reads frames only as
// far as needed to unmask them, and sends frames of the size that the session protocol's have.
func init() {
	Register(Server{Name: "raw", Workloads: []string{SessionChat}, Start: startRawChat, Speaks: &rawChatWS})
}

// rawChatWS publishes and counts as sessions do.
var rawChatWS = dialect{begin: rawWS.begin, size: opSize, publish: sessionWS.publish}

// A rawPair is the two links of a channel.
type rawPair struct{ fds []int }

type rawChat struct {
	mu    sync.Mutex
	pairs map[string]*rawPair // guarded by mu, and what is in them
	links map[int]*rawTalker  // guarded by mu
}

type rawTalker struct {
	pair *rawPair
	part []byte // a beginning that has not come whole
}

var (
	rawReply   = serverFrame(finText, []byte(`{"op":"reply","id":1000000,"channel":"c000000","position":"k3f9ab-1000000-t3k1c0"}`))
	rawMessage = []byte(`{"op":"message","channel":"c000000","position":"k3f9ab-1000000-t3k1c0","time":"2026-11-22T12:00:00.000Z"}`)
)

func startRawChat(o *Options) (*Running, error) {
	ln, err := rawListen(o.Addr)
	if err != nil {
		return nil, err
	}
	c := &rawChat{pairs: map[string]*rawPair{}, links: map[int]*rawTalker{}}
	var eps []int
	for range runtime.GOMAXPROCS(0) {
		ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return nil, err
		}
		eps = append(eps, ep)
		go c.run(ep) // until the process ends
	}
	go func() { // until the process ends
		for next := 0; ; next++ {
			fd, _, err := unix.Accept4(ln, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err != nil {
				continue
			}
			c.add(eps[next%len(eps)], fd)
		}
	}()
	return &Running{}, nil
}

func (c *rawChat) add(ep, fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	c.mu.Lock()
	c.links[fd] = &rawTalker{}
	c.mu.Unlock()
	if unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) != nil {
		_ = unix.Close(fd)
	}
}

func (c *rawChat) run(ep int) {
	events := make([]unix.EpollEvent, 256)
	buf, out := make([]byte, 64<<10), make([]byte, 0, 4<<10)
	for {
		n, err := unix.EpollWait(ep, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			n, err := read(fd, buf)
			if err == unix.EAGAIN {
				continue
			}
			if err != nil || n == 0 {
				_ = unix.Close(fd) // its pair stays: links come back only after the end of a run
				continue
			}
			c.received(fd, buf[:n], out)
		}
	}
}

func (c *rawChat) received(fd int, p, out []byte) {
	c.mu.Lock()
	t := c.links[fd]
	c.mu.Unlock()
	if len(t.part) > 0 {
		p = append(t.part, p...)
		t.part = nil
	}
	if t.pair == nil {
		p = c.open(t, fd, p)
	}
	for t.pair != nil {
		n, head := frameSize(p)
		if head == 0 || len(p) < head+n {
			break
		}
		if p[0] == finPing {
			rawWriteAll(fd, serverFrame(finPong, nil))
		} else {
			t.pair.tell(fd, p[:head+n], head, out)
		}
		p = p[head+n:]
	}
	if len(p) > 0 {
		t.part = bytes.Clone(p)
	}
}

// open takes the request off p.
func (c *rawChat) open(t *rawTalker, fd int, p []byte) (rest []byte) {
	request, rest, ok := bytes.Cut(p, []byte("\r\n\r\n"))
	if !ok {
		return p
	}
	line, _, _ := bytes.Cut(p, []byte("\r\n"))
	c.mu.Lock()
	pair := c.pairs[string(line)]
	if pair == nil {
		pair = &rawPair{}
		c.pairs[string(line)] = pair
	}
	pair.fds = append(pair.fds, fd)
	c.mu.Unlock()
	t.pair = pair
	rawWriteAll(fd, switching(request))
	return rest
}

// tell does the three writes. The message has the payload of the frame that came at its end.
func (p *rawPair) tell(fd int, frame []byte, head int, out []byte) {
	body := frame[head:]
	xorInto(body, body, [4]byte(frame[head-4:head]))
	data := body[max(0, len(body)-128):]
	out = appendHeader(out, finText, len(rawMessage)+len(data), 0)
	out = append(append(out, rawMessage...), data...)
	rawWriteAll(fd, rawReply)
	for _, to := range p.fds {
		rawWriteAll(to, out)
	}
}
