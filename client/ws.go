package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"sync"

	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

// subprotocol is what frames in JSON are called in the WebSocket's handshake.
const subprotocol = "longwire.v1.json"

// wsWay is the WebSocket (docs/protocol.md, section 2.3). Its handshake is a
// request of net/http, so that proxies and TLS are as for everything else.
type wsWay struct{ httpWay }

func (w *wsWay) open(ctx context.Context, g *greeting) (link, error) {
	conn, err := w.upgrade(ctx)
	if err != nil {
		return nil, err
	}
	l := newWSLink(conn, g.wake)
	return l, greet(ctx, l, g)
}

// upgrade is RFC 6455, section 4.1.
func (w *wsWay) upgrade(ctx context.Context) (io.ReadWriteCloser, error) {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.addr.connectURL(""), nil)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": subprotocol,
	} {
		req.Header.Set(name, value)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, err
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		return nil, refusal(resp)
	}
	switch {
	case !frame.HeaderHasToken(resp.Header["Upgrade"], "websocket"),
		resp.Header.Get("Sec-WebSocket-Accept") != frame.AcceptKey(key),
		resp.Header.Get("Sec-WebSocket-Protocol") != subprotocol,
		resp.Header.Get("Sec-WebSocket-Extensions") != "":
		conn.Close()
		return nil, wire.Errorf(wire.CodeBadUpgrade, "the server's handshake is not that of a WebSocket with %s", subprotocol)
	}
	return conn, nil
}

// serverFrames is how a client judges what comes in.
var serverFrames = &frame.Config{MaxMessage: maxFrame}

type wsLink struct {
	conn io.ReadWriteCloser
	wake func()

	// Owned by receive.
	in     io.Reader
	reader frame.Reader
	buf    []byte // what was read
	rest   []byte // of buf, not yet looked at

	// Owned by send.
	out []byte

	mu   sync.Mutex
	pong []byte // guarded by mu: owed to the last ping; nil if none is
}

func newWSLink(conn io.ReadWriteCloser, wake func()) *wsLink {
	l := &wsLink{conn: conn, wake: wake, reader: frame.Reader{Config: serverFrames}, buf: make([]byte, 16<<10)}
	l.in = newPatient(conn, wire.DeadAfter, l.close)
	return l
}

func (l *wsLink) send(frames [][]byte) error {
	l.out = l.appendPong(l.out[:0])
	for _, f := range frames {
		l.out = frame.AppendMasked(l.out, frame.Text, mathrand.Uint32(), f)
	}
	if len(l.out) == 0 {
		return nil
	}
	_, err := l.conn.Write(l.out)
	if cap(l.out) > 1<<20 {
		l.out = nil
	}
	return err
}

// appendPong answers the last ping; those before need no answer (RFC 6455, section 5.5.3).
func (l *wsLink) appendPong(dst []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pong != nil {
		dst = frame.AppendMasked(dst, frame.Pong, mathrand.Uint32(), l.pong)
		l.pong = nil
	}
	return dst
}

func (l *wsLink) receive() ([]byte, error) {
	for {
		ev, n, err := l.reader.Next(l.rest)
		l.rest = l.rest[n:]
		switch {
		case err != nil:
			return nil, l.broken(err)
		case ev.Op == frame.None:
			if err := l.fill(); err != nil {
				l.reader.Release()
				return nil, err
			}
		case ev.Op == frame.Text:
			return ev.Data, nil
		case ev.Op == frame.Ping:
			l.mu.Lock()
			l.pong = append([]byte{}, ev.Data...)
			l.mu.Unlock()
			l.wake()
		case ev.Op == frame.Close:
			return nil, closeReason(ev)
		}
	}
}

// fill reads more behind what could not be judged yet.
func (l *wsLink) fill() error {
	kept := copy(l.buf, l.rest) // at most frame.MaxRest
	n, err := l.in.Read(l.buf[kept:])
	l.rest = l.buf[:kept+n]
	if n > 0 {
		return nil
	}
	return err
}

// broken is what the server did wrong.
func (l *wsLink) broken(err error) error {
	if e, ok := errors.AsType[*frame.Error](err); ok {
		return wire.Errorf(wire.FromCloseCode(e.Code), "the server broke the protocol: %s", e.Reason)
	}
	return err
}

// closeReason is what the server said last. A close has no place for when to
// come back.
func closeReason(ev frame.Event) error {
	code := wire.FromCloseCode(ev.Code)
	if code == "" {
		code = wire.CodeNormal // 3000 to 4999 outside the list: somebody closed on purpose
	}
	return &wire.Error{Code: code, Message: string(bytes.Clone(ev.Data))}
}

func (l *wsLink) bye() {
	_, _ = l.conn.Write(frame.AppendMaskedClose(nil, frame.CloseNormal, "", mathrand.Uint32()))
}

func (l *wsLink) close() { l.conn.Close() }
