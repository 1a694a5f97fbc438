package client

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// An Error is what a server refuses with, or ends a connection with: a code for
// programs, a message for people.
type Error = wire.Error

// A Code says what an [Error] is, in one word. Package wire has the list.
type Code = wire.Code

// Codes that a caller may want to tell from others.
const (
	CodeBadChannel     = wire.CodeBadChannel
	CodeBadRequest     = wire.CodeBadRequest
	CodeOutcomeUnknown = wire.CodeOutcomeUnknown
)

// ErrClosed says that the client was closed.
var ErrClosed = errors.New("client: closed")

// Options say how to connect. Nil means all defaults.
type Options struct {
	// Via is the way in. Empty means the WebSocket, or TCP if the address says so.
	Via Via
	// Token proves to the server who this is. Empty means anonymous.
	Token string
	// Name is the client's name for itself, for the server's logs; at most 64 bytes.
	Name string
	// TLS is for addresses with TLS. Nil means that of crypto/tls.
	TLS *tls.Config

	// Lost is called when the connection is cut, and when an attempt to connect
	// again has failed: with why, and when the next attempt follows.
	Lost func(err error, wait time.Duration)
	// Back is called when the client is connected again.
	Back func()
	// MaxWait is the longest that it waits by itself before it connects again. Zero means 20 s. Less is for a few
	// clients only: many of them would not let a server come back.
	MaxWait time.Duration
}

// A Client is one session, whatever links carry it. Its methods may be called from any
// goroutine.
//
// Hooks, those of the Options and of subscriptions, are called one at a time.
// While one runs nothing more is read, so it holds the server back, and must not
// wait for the client's own answers: not call Publish, Call, History or Close.
type Client struct {
	// Immutable after Dial.
	opts Options
	via  Via
	way  way
	stop context.CancelFunc // ends run
	done chan struct{}      // closed when run has ended
	wake chan struct{}      // capacity 1: there is something to send

	// Owned by run, before that by Dial.
	backoff backoff
	begun   bool // it was connected once

	mu sync.Mutex
	// Guarded by mu.
	reqs            requests
	pace            pace
	subs            map[string]*Subscription // by name; also those that are not answered yet
	session, secret string
	position        string // where the session stood when its link began
	limits          wire.Limits
	pong            bool  // a ping is to be answered
	err             error // why it ended; nil while it has not
}

// Dial connects to a server: "http://127.0.0.1:8080", also with https, "tcp://127.0.0.1:8888", also with
// tls, or host:port alone. An empty address is where `longwire serve` listens by
// itself. It tries once; what makes no sense is an [AddressError]. Connected
// once, the client connects again by itself until it is closed, or until the server says that
// this will not help.
func Dial(ctx context.Context, addr string, o *Options) (*Client, error) {
	if o == nil {
		o = &Options{}
	}
	a, err := parseAddress(addr, o.Via)
	if err != nil {
		return nil, err
	}
	return dial(ctx, newWay(a, o.TLS), a.via, o)
}

func newWay(a *address, tlsConfig *tls.Config) way {
	switch a.via {
	case TCP:
		w := &tcpWay{host: a.url.Host}
		if a.tls {
			w.tls = &tls.Config{}
			if tlsConfig != nil {
				w.tls = tlsConfig
			}
		}
		return w
	case WebSocket:
		return &wsWay{newHTTPWay(a, tlsConfig)}
	case Poll:
		return &pollWay{newHTTPWay(a, tlsConfig)}
	}
	return &streamWay{newHTTPWay(a, tlsConfig), a.via == SSE}
}

func dial(ctx context.Context, w way, via Via, o *Options) (*Client, error) {
	c := &Client{
		opts: *o, via: via, way: w,
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		subs: make(map[string]*Subscription), backoff: backoff{most: o.MaxWait},
	}
	l, err := c.connect(ctx)
	if err != nil {
		w.close()
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go c.run(life, l) // Close waits for it
	return c, nil
}

// Close ends the client and waits until its hooks have returned. What was under way fails with ErrClosed, or
// with outcome_unknown.
func (c *Client) Close() {
	c.stop()
	<-c.done
}

// Done is closed when the client has ended, by Close or because connecting again will not help.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the client has ended, nil while it has not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Session returns the session's public id, by which publications name their publisher.
func (c *Client) Session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// attend has the writer look for what there is to send. Any goroutine.
func (c *Client) attend() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
