package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire/wire"
)

// A cluster is a NATS server outside of the process, or several, which nodes share: what any of them
// publishes all hear. There is no end in order that could be noted. So an epoch goes on until a
// node sees that numbers were given twice (see repair.go).
type cluster struct {
	// Immutable after Open.
	hears *conn // feeds and what is not kept; a connection of its own, which reading does not hold up
	fed   chan fed
	feeds []*feed // of the partitions with history, and of the record

	// Owned by the teller.
	repairing bool // a goroutine looks what is to be mended
	due       bool // something is to be mended
	ailing    bool // it was said
	takes     int  // how many records were taken
}

// openCluster opens what is kept by the server that the options name.
func (b *Broker) openCluster(ctx context.Context) (err error) {
	b.cluster = &cluster{fed: make(chan fed, ackTurn)}
	if err := b.connect(); err != nil {
		return err
	}
	if err := b.suits(ctx); err != nil {
		return err
	}
	if b.cluster.hears, err = b.dial("hearing", nats.ReconnectHandler(func(*nats.Conn) { b.post(b.breakFeeds) })); err != nil {
		return err
	}
	k := &recordStream{b: b, stream: strings.ToUpper(b.opts.prefix), subject: b.opts.prefix + "-record"}
	b.keeper = k
	if err := b.makeRecordStream(ctx, k.config()); err != nil {
		return err
	}
	if err := b.found(ctx); err != nil {
		return err
	}
	for _, p := range b.parts {
		if p.class.KeepsHistory() {
			b.cluster.feeds = append(b.cluster.feeds, &feed{stream: p.stream, part: p})
		}
	}
	b.cluster.feeds = append(b.cluster.feeds, &feed{stream: k.stream})
	if err := b.beginCluster(ctx); err != nil {
		return err
	}
	return b.hearLive()
}

// found lays channels out as the record says, and makes the streams. Without a record that is made first, so that
// nodes that find new data at once agree.
func (b *Broker) found(ctx context.Context) error {
	for range changeTries {
		r, err := b.keeper.load(ctx)
		if err != nil {
			return err
		}
		if err := b.lay(r, partitions); err != nil {
			return err
		}
		if r == nil {
			r = newRecord(b.layout)
			r.next(b.layout, make([]uint64, b.layout.Partitions()))
			err = b.keeper.store(ctx, r)
		}
		if err == nil {
			err = b.makeStreams(ctx, r) // which may change it
		}
		if !errors.Is(err, errChanged) {
			return err
		}
	}
	return errBusy
}

// beginCluster finds out where the partitions stand.
func (b *Broker) beginCluster(ctx context.Context) error {
	v, err := b.survey(ctx, nil, nil)
	if err != nil {
		return err
	}
	for i, p := range b.parts {
		if s := v.states[i]; s != nil {
			p.last = s.Last
			p.suspectLoss(s)
		}
	}
	b.record.Store(v.record)
	return nil
}

func (c *cluster) close() {
	if c.hears != nil {
		c.hears.nc.Close()
	}
}

// clusterOptions are how connections are made.
func (b *Broker) clusterOptions() []nats.Option {
	options := []nats.Option{
		nats.IgnoreAuthErrorAbort(), // rights may come back; until then all are told unavailable
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.log.Warn("jetstream: the NATS server complains; see to the rights of the user, or to the load", "err", err)
		}),
	}
	if b.opts.Credentials != "" {
		options = append(options, nats.UserCredentials(b.opts.Credentials))
	}
	if b.opts.TLS != nil {
		options = append(options, nats.Secure(b.opts.TLS))
	}
	return options
}

// unreachable says why there is no connection, and what to do about it.
func (b *Broker) unreachable(err error) error {
	var name *net.DNSError
	_, file := errors.AsType[*fs.PathError](err)
	do := "see to its URL and its log"
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired),
		strings.Contains(err.Error(), "uthorization"):
		do = "it does not take these credentials; name the file of a user that it knows, or write user and password into the URL"
	case file, b.opts.Credentials != "" && strings.Contains(err.Error(), b.opts.Credentials):
		do = "the credentials cannot be read; name the file that nsc or nats auth wrote"
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted), strings.Contains(err.Error(), "tls:"), strings.Contains(err.Error(), "x509:"):
		do = "the two do not agree about TLS; begin the URL with tls:// if the server wants it, and see to its certificate"
	case errors.As(err, &name):
		do = "no such host is known; see to its URL"
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout):
		do = "nobody answers there; start it, or name where it is"
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: fmt.Sprintf("the NATS server at %s cannot be used (%v): %s", b.Where(), err, do), Retry: time.Second}
}

// Where returns the URL of the cluster without passwords, for logs; empty with a server inside.
func (b *Broker) Where() string {
	if b.cluster == nil {
		return ""
	}
	list := strings.Split(b.opts.URL, ",")
	for i, u := range list {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(u), "://")
		if !ok {
			scheme, rest = "nats", scheme
		}
		list[i] = scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
	}
	return strings.Join(list, ",")
}

// leastServer is the first version that reads pages: direct gets of several messages.
const leastServer = "2.11"

// suits finds out whether the server can do what is needed.
func (b *Broker) suits(ctx context.Context) error {
	nc := b.reads.nc
	if v := nc.ConnectedServerVersion(); !atLeast(v, leastServer) {
		return wire.Errorf(wire.CodeUnavailable, "the NATS server at %s is version %s and %s is needed, or better the newest; upgrade it", b.Where(), v, leastServer)
	}
	if _, err := b.js.AccountInfo(ctx); err != nil {
		return b.streamError(err)
	}
	if most := nc.MaxPayload(); most < int64(b.opts.MaxMessage) {
		b.log.Warn("jetstream: the NATS server takes no publications as large as this node does; larger ones are refused; raise its max_payload", "max_payload", most, "wanted", b.opts.payload())
	}
	return nil
}

// atLeast reports whether a version such as 2.12.6-beta is another one such as 2.11, or newer.
func atLeast(version, least string) bool {
	have, want := strings.Split(strings.TrimPrefix(version, "v"), "."), strings.Split(least, ".")
	for i := range want {
		n := 0
		if i < len(have) {
			n, _ = strconv.Atoi(have[i])
		}
		if w, _ := strconv.Atoi(want[i]); n != w {
			return n > w
		}
	}
	return true
}

// refusalOf returns what a publisher hears if a cluster does not take a publication.
func refusalOf(e *apiError) error {
	switch e.Code {
	case apiTooLarge:
		return wire.Errorf(wire.CodeTooLarge, "the NATS server takes no message of this size; raise the stream's max_msg_size")
	case apiNoMemory, apiNoStorage, apiNoResource:
		return &wire.Error{Code: wire.CodeNoSpace, Message: "the NATS server has no room (" + e.Description + "); give it, or the account, more"}
	}
	return e.err()
}

var (
	errOutdated = wire.Errorf(wire.CodeUnavailable, "another node has begun with other retention classes or partitions; start this one again with the same")
	errBusy     = &wire.Error{Code: wire.CodeUnavailable, Message: "other nodes change the record of the data all the time; try again", Retry: time.Second}
)
