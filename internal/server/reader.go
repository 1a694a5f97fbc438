package server

import (
	"net/url"
	"strings"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// maxRead is how many channels one request may name.
const maxRead = 64

// readers is the acceptor of those that only read: GET /channels/{channel} in
// all its forms (docs/protocol.md, section 5.1). Nothing in it blocks, so it runs
// on the loop; and because it subscribes there, before the head of the response
// has left, whoever has seen the head misses nothing that is published after.
func (s *Server) readers() *longwire.Plain {
	return &longwire.Plain{
		OnLoop: true,
		Log:    s.log,
		Open: func(c *longwire.Conn) error {
			channels, err := channelsOf(c.Info().Target)
			if err != nil {
				return err
			}
			if err := s.links.add(c); err != nil {
				return err
			}
			out := &outlet{sink: c}
			subs := make([]*subscription, len(channels))
			for i, name := range channels {
				subs[i], _ = s.room.subscribe(name, out, false)
			}
			c.Tag = subs
			return nil
		},
		Message: func(c *longwire.Conn, _ longwire.Kind, _ []byte) {
			c.Close(wire.CodeUnsupportedData, "this address is for reading; publish by POST, or speak frames at /connect")
		},
		Close: func(c *longwire.Conn, _ error) {
			for _, sub := range c.Tag.([]*subscription) {
				s.room.unsubscribe(sub)
			}
			s.links.remove(c)
		},
	}
}

// channelsOf returns the channels that a request's target names.
func channelsOf(target string) ([]string, error) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, wire.Errorf(wire.CodeBadRequest, "this address cannot be understood")
	}
	return splitChannels(strings.TrimPrefix(u.Path, channelsPath))
}

// splitChannels checks a list of channels.
func splitChannels(list string) ([]string, error) {
	names := strings.Split(list, ",")
	if len(names) > maxRead {
		return nil, wire.Errorf(wire.CodeBadChannel, "one request names at most %d channels; use another for more", maxRead)
	}
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if err := wire.CheckChannel(name); err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, wire.Errorf(wire.CodeAlreadySubscribed, "channel %s is named twice; name it once", name)
		}
		seen[name] = true
	}
	return names, nil
}
