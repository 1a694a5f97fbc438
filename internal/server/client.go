package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A client is one that speaks frames (docs/protocol.md, section 3): a JSON
// object per line on TCP, per message on a WebSocket at /connect. It is a
// connection's Tag and belongs to the connection's handlers, which take one
// frame after the other; so its replies come in the order of its frames.
type client struct {
	srv  *Server
	conn *longwire.Conn
	out  outlet                   // of conn
	subs map[string]*subscription // nil while there are none
}

// maxSubscriptions bounds what one connection can make the server remember.
const maxSubscriptions = 1024

// frames is the acceptor of those that speak frames.
func (s *Server) frames() *longwire.Plain {
	return &longwire.Plain{
		Log: s.log,
		Open: func(c *longwire.Conn) error {
			c.Tag = &client{srv: s, conn: c, out: outlet{sink: c}}
			return s.links.add(c)
		},
		Message: func(c *longwire.Conn, kind longwire.Kind, p []byte) {
			cl := c.Tag.(*client)
			switch {
			case kind != longwire.Binary:
				cl.receive(p)
			case c.Info().Transport == "tcp":
				cl.ended()
			default:
				cl.say(appendError(nil, 0, wire.Errorf(wire.CodeUnsupportedData, "frames are JSON in text messages; binary ones are not spoken yet")))
			}
		},
		Close: func(c *longwire.Conn, _ error) {
			for _, sub := range c.Tag.(*client).subs {
				s.room.unsubscribe(sub)
			}
			s.links.remove(c)
		},
	}
}

func (cl *client) receive(p []byte) {
	if len(bytes.TrimSpace(p)) == 0 {
		return // a person who presses return
	}
	q, err := parseRequest(p)
	if err == nil {
		err = cl.obey(q)
	}
	if err != nil {
		cl.say(appendError(nil, q.id, errorOf(err)))
	}
}

func (cl *client) obey(q *request) error {
	switch q.Op {
	case "subscribe":
		return cl.subscribe(q)
	case "unsubscribe":
		return cl.unsubscribe(q)
	case "publish":
		return cl.publish(q)
	case "ping":
		cl.say(append(appendID([]byte(`{"op":"pong"`), q.id), '}'))
		return nil
	case "pong":
		return nil
	}
	return wire.Errorf(wire.CodeUnknownOp, "op %.40q is not known here; subscribe, unsubscribe, publish, ping and pong are", q.Op)
}

func (cl *client) subscribe(q *request) error {
	if err := wire.CheckChannel(q.Channel); err != nil {
		return err
	}
	if cl.subs[q.Channel] != nil {
		return &wire.Error{Code: wire.CodeAlreadySubscribed}
	}
	if len(cl.subs) >= maxSubscriptions {
		return wire.Errorf(wire.CodeForbidden, "a connection has at most %d subscriptions; use another connection for more", maxSubscriptions)
	}
	if cl.subs == nil {
		cl.subs = map[string]*subscription{}
	}
	sub, number := cl.srv.room.subscribe(q.Channel, &cl.out, true)
	cl.subs[q.Channel] = sub
	cl.say(append(appendPosition(appendReply(nil, q.id, q.Channel), `"position"`, number), '}'))
	sub.release()
	return nil
}

func (cl *client) unsubscribe(q *request) error {
	sub := cl.subs[q.Channel]
	if sub == nil {
		return &wire.Error{Code: wire.CodeNotSubscribed}
	}
	delete(cl.subs, q.Channel)
	cl.srv.room.unsubscribe(sub)
	cl.say(append(appendReply(nil, q.id, q.Channel), '}'))
	return nil
}

func (cl *client) publish(q *request) error {
	if err := wire.CheckChannel(q.Channel); err != nil {
		return err
	}
	kind, p, err := q.data()
	if err != nil {
		return err
	}
	data, err := appendData(nil, kind, p)
	if err != nil {
		return err
	}
	number, subscribers := cl.srv.room.publish(time.Now(), q.Channel, data)
	b := appendPosition(appendReply(nil, q.id, q.Channel), `"position"`, number)
	cl.say(fmt.Appendf(b, `,"subscribers":%d}`, subscribers))
	return nil
}

// ended hears that the client has finished writing. It goes on receiving, if it
// has something to receive; the ping finds out whether it is still there.
func (cl *client) ended() {
	if len(cl.subs) == 0 {
		cl.conn.Close(wire.CodeNormal, "")
		return
	}
	cl.say([]byte(`{"op":"ping"}`))
}

// say sends a frame of the server's own, and waits for room if need be: a peer
// that does not read is not read either. The connection's end ends the wait.
func (cl *client) say(frame []byte) {
	_ = cl.conn.SendWait(context.Background(), longwire.JSON, frame)
}

// errorOf returns err as what may be told to a client.
func errorOf(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return &wire.Error{Code: wire.CodeInternal}
}
