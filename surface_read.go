package longwire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/longwire/longwire/wire"
)

// maxNames is how many channels and patterns one request may name.
const maxNames = 64

// A reading is what a request that belongs to no session asks to read
// (docs/protocol.md, section 5.1).
type reading struct {
	names []string // channels and patterns
	since since
	wait  bool // for one answer
	badID bool // what it says in Last-Event-ID is no good; see refuseEventID
}

// readingOf reads the target of a request, such as /channels/a,b?since=all, and
// of its header what resumes. One position resumes all that is named.
func readingOf(target string, header interface{ Get(name string) string }) (*reading, error) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, errTarget
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errTarget
	}
	rd := &reading{names: strings.Split(strings.TrimPrefix(u.Path, channelsPath), ","), wait: q.Has("wait")}
	if err := checkNames(rd.names, maxNames); err != nil {
		return nil, err
	}
	if from := header.Get("Last-Event-ID"); from != "" { // newer than the address, which EventSource repeats as it was
		rd.since, err = parseSince(from)
		rd.badID = err != nil
		return rd, nil
	}
	from := q.Get("since")
	if from == "" {
		from = header.Get("Longwire-Position")
	}
	rd.since, err = parseSince(from)
	return rd, err
}

var errTarget = wire.Errorf(wire.CodeBadRequest, "this address cannot be understood; escape what is no letter or digit by %% and two hexadecimal digits")

// checkNames checks what a request wants to subscribe to.
func checkNames(names []string, most int) error {
	if len(names) > most {
		return wire.Errorf(wire.CodeBadChannel, "one request names at most %d channels; use a pattern, or another request for more", most)
	}
	seen := make(map[string]struct{}, len(names))
	for _, name := range names {
		if err := wire.CheckPattern(name); err != nil {
			return err
		}
		if _, twice := seen[name]; twice {
			return wire.Errorf(wire.CodeAlreadySubscribed, "%s is named twice; name it once", name)
		}
		seen[name] = struct{}{}
	}
	return nil
}

// read answers GET /channels/{channel}[,{channel}…]. All that can be
// refused is refused here, where it gets a status, whatever the way; but for a bad
// Last-Event-ID, to which not every way gives one.
func (s *surface) read(w http.ResponseWriter, r *http.Request) {
	rd, err := readingOf(r.URL.RequestURI(), r.Header)
	if err == nil {
		err = s.node.mayRead(r, rd.names)
	}
	if err == nil && rd.wait && r.Header.Get("Upgrade") == "" {
		err = s.node.mayWait(rd.names)
	}
	if err != nil {
		s.problem(w, err)
		return
	}
	// For those who see the header and not the stream before it; in the stream a
	// gap has its place, and is told even if it came about only just now.
	if gaps := s.node.gapsIn(rd.names, rd.since); len(gaps) > 0 {
		w.Header().Set("Longwire-Gap", strings.Join(gaps, ","))
	}
	by(s.readers, w, r)
}

// mayWait says whether channels can be polled: what is published between two
// polls must be kept.
func (n *Node) mayWait(names []string) error {
	for _, name := range names {
		if !n.keepsHistory(name) {
			return wire.Errorf(wire.CodeNeedsHistory, "%s keeps no history, or not all of it, so polling would miss what comes between two polls; stream it, or name what has history", name)
		}
	}
	return nil
}

// keepsHistory reports whether a channel or pattern has history. Brokers keep
// it of every channel unless they say otherwise.
func (n *Node) keepsHistory(name string) bool {
	k, ok := n.broker.(interface{ Keeps(channel string) bool })
	return !ok || k.Keeps(name)
}
