package longwire

import (
	"bytes"
	"log/slog"
	"unicode/utf8"

	"github.com/longwire/longwire/wire"
)

// A publication is checked wherever it comes from, because brokers and subscribers
// take it as it is. A frame is checked as it is read, a request by what its headers
// say; what a program publishes, and what its hook makes of a client's publication,
// is checked here, and refused with the codes that the frame would be refused with.

// checkBeside checks all of a publication but its data.
func (p *Publication) checkBeside() error {
	err := wire.CheckChannel(p.Channel)
	switch {
	case err != nil:
	case p.ContentType != "" && p.Kind != Binary:
		err = wire.Errorf(wire.CodeBadFrame, "%s has no content type; publish as Binary what has one", p.Kind)
	case p.ContentType != "":
		err = wire.CheckContentType(p.ContentType)
	}
	if err == nil {
		err = wire.CheckKey(p.Key)
	}
	if err == nil {
		err = wire.CheckHeaders(p.Headers)
	}
	return err
}

// fill puts a copy of data, checked and compacted, into p.
func (n *Node) fill(p *Publication, data []byte) error {
	if err := n.checkData(p.Kind, data); err != nil {
		return err
	}
	if p.Kind == JSON {
		p.Data = compacted(data)
	} else {
		p.Data = bytes.Clone(data)
	}
	return nil
}

// outgoing returns data as it may be sent to a peer, which was told the limit.
func (n *Node) outgoing(kind Kind, data []byte) ([]byte, error) {
	err := n.checkData(kind, data)
	if err == nil && kind == JSON {
		data = compacted(data)
	}
	return data, err
}

func compacted(data []byte) []byte { return wire.AppendCompact(make([]byte, 0, len(data)), data) }

// checkData checks data that comes from the program.
func (n *Node) checkData(kind Kind, data []byte) error {
	if err := n.checkSize(data); err != nil {
		return err
	}
	switch {
	case kind > JSON:
		return wire.Errorf(wire.CodeBadFrame, "kind %d is not known; use Binary, Text or JSON", kind)
	case kind == JSON:
		return wire.CheckJSON(data)
	case kind == Text && !utf8.Valid(data):
		return &wire.Error{Code: wire.CodeBadUTF8}
	}
	return nil
}

// checkSize checks that data is not over the message limit.
func (n *Node) checkSize(data []byte) error {
	if most := n.opts.MaxMessage; len(data) > most {
		return wire.Errorf(wire.CodeTooLarge, "the data of a message has at most %d bytes here, this one has %d", most, len(data))
	}
	return nil
}

// valueOf returns the data of a frame, in memory of its own. What a frame says is
// checked before anybody is asked about it, and also if nobody is.
func (n *Node) valueOf(f *wire.Frame) (Kind, []byte, []byte, error) {
	t, data, contentType, err := f.Value(nil)
	if err == nil {
		err = n.checkSize(data)
	}
	return Kind(t), data, contentType, err
}

// changed checks p after a hook had it that was given kind and data. The data is
// walked only if it is other bytes now, or meant otherwise: hooks do not write
// into what they are given.
func (n *Node) changed(p *Publication, kind Kind, data []byte) error {
	err := p.checkBeside()
	if err == nil && (p.Kind != kind || !sameBytes(p.Data, data)) {
		err = n.fill(p, p.Data)
	}
	if err != nil {
		n.log.Warn("longwire: what Handler.Publish made of a publication is refused; have it stay within the limits",
			slog.String("channel", p.Channel), slog.Any("err", err))
	}
	return err
}

// sameBytes reports whether two slices are the same memory.
func sameBytes(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
