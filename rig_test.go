package longwire_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/internal/testcert"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/transport/ws"
)

// A rig is a node with all its doors on a network in memory, in virtual time.
type rig struct {
	t    *testing.T
	node *longwire.Node
	ways.Server
	secure ways.Server // once serveTLS was called
	http   *http.Client

	stop   []func()
	served chan error
}

var quiet = slog.New(slog.DiscardHandler)

// newRig must be called inside a bubble.
func newRig(t *testing.T, o longwire.Options) *rig {
	t.Helper()
	engine, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 2, Goroutines: true, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	o.Engine = engine
	if o.Log == nil {
		o.Log = quiet
	}
	if d, ok := o.Broker.(deep); ok { // a broker belongs to one bubble
		o.Broker = longwire.NewMemory(&longwire.MemoryOptions{Count: d.keeps, Behind: d.behind, Classes: d.classes, Partitions: max(1, d.parts)})
	}
	n, err := longwire.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, node: n, served: make(chan error, 4)}
	r.Server = r.serve(nil)
	r.http = r.HTTPClient()
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := n.Drain(ctx); err != nil {
			t.Error("Drain:", err)
		}
		if err := engine.Close(ctx); err != nil {
			t.Error("Engine.Close:", err)
		}
		for _, stop := range r.stop {
			stop()
			<-r.served
		}
		if err := n.Close(ctx); err != nil {
			t.Error("Node.Close:", err)
		}
		if o.Broker != nil {
			o.Broker.Close(ctx)
		}
		time.Sleep(time.Second) // net/http waits half of it before it closes on who sent too much
	})
	return r
}

// deep stands in options for a memory broker that keeps so many of each channel.
type deep struct {
	longwire.Broker
	keeps   int
	behind  longwire.Policy
	classes []longwire.Class
	parts   int
}

// serve opens all doors.
func (r *rig) serve(conf *tls.Config) ways.Server {
	lines, pages := memnet.Listen("127.0.0.1:8888"), memnet.Listen("127.0.0.1:8080")
	srv := tcp.Session(r.node)
	srv.TLS = conf
	web := &http.Server{
		Handler:   r.node.Handler(ws.Way, stream.Way),
		TLSConfig: conf,
		ErrorLog:  slog.NewLogLogger(quiet.Handler(), slog.LevelDebug),
	}
	ln := longwire.WrapListener(pages)
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	go func() { r.served <- srv.Serve(lines) }()
	go func() { r.served <- web.Serve(ln) }()
	r.stop = append(r.stop, func() { srv.Close() }, func() { web.Close() })
	return ways.Server{TCP: lines.Dial, HTTP: pages.Dial}
}

func (r *rig) serveTLS() {
	cert, pool := testcert.New(r.t)
	r.secure = r.serve(&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}})
	r.secure.TLS = &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// everyWay runs one body over every way into a session, each in a bubble.
func everyWay(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, w ways.Way)) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { body(t, newRig(t, o), w) })
		})
	}
}

// secureToo runs the body over the ways with TLS as well.
func secureToo(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, w ways.Way)) {
	everyWay(t, o, body)
	for _, w := range ways.Secure() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, o)
				r.serveTLS()
				body(t, r, w)
			})
		})
	}
}

// everyPair runs one body for a session that begins by one way and goes on by another.
func everyPair(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, first, then ways.Way)) {
	for _, first := range ways.All() {
		for _, then := range ways.All() {
			t.Run(first.Name+" then "+then.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { body(t, newRig(t, o), first, then) })
			})
		}
	}
}

// inBubble runs a body that is about one way only.
func inBubble(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) { body(t, newRig(t, o)) })
}

// way finds a way by its name.
func way(name string) ways.Way {
	for _, w := range ways.All() {
		if w.Name == name {
			return w
		}
	}
	panic("there is no way " + name)
}

// serverOf returns where a way's clients connect to.
func (r *rig) serverOf(w ways.Way) *ways.Server {
	if w.Secure {
		return &r.secure
	}
	return &r.Server
}

func (r *rig) dial(w ways.Way, o ways.Options) *peer {
	r.t.Helper()
	p, err := r.tryDial(w, o)
	if err != nil {
		r.t.Fatalf("%s: %v", w.Name, err)
	}
	if !o.Silent && o.First == "" {
		p.connected()
	}
	return p
}

func (r *rig) tryDial(w ways.Way, o ways.Options) (*peer, error) {
	r.t.Helper()
	c, err := w.Open(r.t, r.serverOf(w), &o)
	if err != nil {
		return nil, err
	}
	return r.meet(w, c), nil
}

// read opens a stream that reads only.
func (r *rig) read(path, query, accept, lastID string) *peer {
	r.t.Helper()
	c, err := ways.Read(r.t, &r.Server, path, query, accept, lastID)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.meet(ways.Way{Name: "reading " + path}, c)
}

// publish publishes text as a program does.
func (r *rig) publish(channel, text string) longwire.Position {
	r.t.Helper()
	at, err := r.node.Publish(context.Background(), channel, []byte(text), &longwire.PublishOptions{Kind: longwire.Text})
	if err != nil {
		r.t.Fatalf("publishing %.40q on %s: %v", text, channel, err)
	}
	return at
}

// An answered is an HTTP response that has come whole.
type answered struct {
	status int
	header http.Header
	body   string
}

// do sends a request. Headers are names and values.
func (r *rig) do(method, path, body string, header ...string) answered {
	r.t.Helper()
	a, err := r.tryDo(r.t.Context(), method, path, body, header...)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (r *rig) tryDo(ctx context.Context, method, path, body string, header ...string) (answered, error) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL(path, ""), content)
	if err != nil {
		return answered{}, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answered{resp.StatusCode, resp.Header, string(b)}, err
}
