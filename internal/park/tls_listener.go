package park

import (
	"crypto/tls"
	"net"
	"sync"
)

// TLS returns a listener for http.Server whose connections are *tls.Conn,
// through with their handshakes or failed in them; net/http tells the client
// and its log of the latter. Unlike those of tls.NewListener, its handshakes
// keep to the bounds that handshakes on this machine have. For HTTP/2,
// config.NextProtos lists "h2" and "http/1.1".
//
// Accept may be called by one goroutine. Closing either listener closes both.
func (ln *Listener) TLS(config *tls.Config) net.Listener {
	return &tlsListener{Listener: ln, config: config, conns: make(chan net.Conn)}
}

type tlsListener struct {
	*Listener
	config *tls.Config
	conns  chan net.Conn

	once    sync.Once
	running sync.WaitGroup // the accepting goroutine and the handshakes; Close waits for them
	err     error          // why accepting ended; set before over is closed
	over    chan struct{}
}

func (l *tlsListener) Accept() (net.Conn, error) {
	l.once.Do(func() {
		l.over = make(chan struct{})
		l.running.Go(l.run)
	})
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, l.err
	}
}

func (l *tlsListener) run() {
	defer close(l.over)
	for {
		raw, err := l.accept(fullTLS)
		if err != nil {
			l.err = err
			return
		}
		l.running.Go(func() {
			c := &Conn{inner: raw}
			t := tls.Server(c, l.config)
			_ = l.handshake(c, t) // the error stays in t, and net/http finds it
			select {
			case l.conns <- t:
			case <-l.done:
				t.Close()
			}
		})
	}
}

func (l *tlsListener) Close() error {
	err := l.Listener.Close()
	l.once.Do(func() { // nobody accepted, and nobody will
		l.err, l.over = net.ErrClosed, make(chan struct{})
		close(l.over)
	})
	l.running.Wait()
	return err
}
