package jetstream

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Publish puts p on its way. It takes a short lock. Data and order are as [longwire.Broker]
// says; one publication costs two goroutines a wake-up each, many at once share them.
func (b *Broker) Publish(p *longwire.Publication, done func(*longwire.Publication, error)) {
	it := &item{p: p, done: done}
	part := b.parts[b.layout.Partition(p.Channel)]
	if p.Time.IsZero() {
		p.Time = now()
	}
	p.Partition = part.index
	switch {
	case b.closing.Load():
		it.settle(nil, errClosed)
	case b.outdated.Load():
		it.settle(nil, errOutdated)
	case b.broken.Load() && part.class.KeepsHistory():
		it.settle(nil, errBroken)
	case b.embedded != nil && part.onDisk() && b.room.Add(-int64(it.cost())) < 0:
		it.settle(nil, errNoSpace)
	}
	if part.put(it) {
		wake(b.toSend)
	}
}

// wake has a goroutine look again. It never waits.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sendTurn is how much of a partition is sent before the next has its turn.
const sendTurn = 256

// send is the sender: it writes what is to be published to the connection, which may wait for the
// server and so is nobody else's to do. Close waits for it.
func (b *Broker) send() {
	var list []outgoing
	var scratch []byte
	written := 0 // since the sender looked how much room there is
	for {
		select {
		case <-b.toSend:
		case <-b.ended:
			return
		}
		for again := true; again; {
			again = false
			for _, p := range b.parts {
				clear(list)
				var more, settled bool
				b.sending.Lock()
				list, more, settled = p.unsent(list[:0], sendTurn)
				again = again || more
				for _, o := range list {
					scratch = b.sendOne(p, o, scratch[:0])
					written += len(scratch)
				}
				b.sending.Unlock()
				if written >= sendLook && b.embedded != nil {
					written = 0
					b.lookAtRoom()
				}
				if settled {
					wake(b.toTell)
				}
			}
		}
		if cap(scratch) > 1<<20 {
			scratch = nil
		}
	}
}

// sendOne sends one publication. What cannot be sent has not happened.
func (b *Broker) sendOne(p *part, o outgoing, scratch []byte) []byte {
	q := o.it.p
	scratch = appendPublication(scratch, q)
	if !p.class.KeepsHistory() {
		q.Epoch = b.record.Load().epoch()
		err := b.sendLive(q, scratch)
		b.settle(p, o.count, q, err)
		return scratch
	}
	p.grow(len(scratch) + len(q.Channel))
	subject := p.subject + q.Channel
	reply := string(strconv.AppendUint(append(make([]byte, 0, 64), p.reply...), o.count, 36))
	var err error
	if q.Key == "" {
		err = b.writes.nc.PublishRequest(subject, reply, scratch)
	} else {
		err = b.writes.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: scratch, Header: nats.Header{nats.MsgIdHdr: {keyID(q)}}})
	}
	if err != nil {
		b.settle(p, o.count, nil, unsent(err))
	}
	return scratch
}

// settle says what became of an item, from another goroutine than the teller.
func (b *Broker) settle(p *part, count uint64, kept *longwire.Publication, err error) {
	p.settle(count, kept, err)
	wake(b.toTell)
}

func unsent(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) {
		return wire.Errorf(wire.CodeTooLarge, "the NATS server takes no message of this size; raise its max_payload")
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the store cannot be reached (" + err.Error() + "); nothing was published, try again"}
}

// keyID returns a key as the stream remembers it. It remembers them for all channels together.
func keyID(p *longwire.Publication) string {
	h := sha256.New()
	h.Write([]byte(p.Channel))
	h.Write([]byte{0})
	h.Write([]byte(p.Key))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}
