package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// A way is one way in for a reader, spoken by hand.
type way struct {
	name string
	// asksEach is whether every subscription is resumed from a position of its own. Otherwise all are from one.
	asksEach bool
	// tellsEach is whether the position of a message is that of its subscription. Otherwise it is everybody's.
	tellsEach bool
	// ids is whether all positions are everybody's, also that of a gap.
	ids  bool
	open func(ctx context.Context, d *dialer, a *asking) (link, error)
}

// ways is every way to read that there is: sessions, and channels without one.
var ways = []way{
	{name: "tcp", asksEach: true, tellsEach: true, open: openTCP},
	{name: "ws", asksEach: true, tellsEach: true, open: openWS},
	{name: "poll", asksEach: true, tellsEach: true, open: openPoll},
	{name: "sse", ids: true, open: openSSE},
	{name: "ndjson", tellsEach: true, open: openNDJSON},
	{name: "reading by ws", open: openReadingWS},
	{name: "reading by sse", ids: true, open: openReadingSSE},
	{name: "reading by ndjson", open: openReadingNDJSON},
	{name: "reading by poll", open: openReadingPoll},
}

// An asking is what a reader wants when it opens a link.
type asking struct {
	names           []string
	since           map[string]string // by name
	session, secret string            // to resume; empty without
}

// one returns the since that is of all names.
func (a *asking) one() string { return a.since[a.names[0]] }

// A link is an open link of a reader.
type link interface {
	// next returns the next frame. What says only where the reader stands is a ping.
	next() (*wire.ServerFrame, error)
	// cut cuts the link as a crash of the reader would. Any goroutine.
	cut()
}

// A dialer makes a reader's connections.
type dialer struct {
	http, tcp string
	small     bool // the kernel is to keep little for it, so that the server notices a slow reader soon
	rng       *rand.Rand
}

func (d *dialer) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err == nil && d.small {
		_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	return c, err
}

// client returns an HTTP client with connections of its own.
func (d *dialer) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx, d.http) },
		DisableCompression: true,
	}}
}

func (d *dialer) url(path string, query url.Values) string {
	u := "http://" + d.http + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	return u
}

// channelsURL is the address that reads names without a session.
func (d *dialer) channelsURL(names []string, query url.Values) string {
	return d.url("/channels/"+strings.Join(names, ","), query)
}

// connectFrame is the first frame of a session.
func (a *asking) connectFrame() []byte {
	c := &wire.Connect{ID: 1, Name: "torture", Session: a.session, Secret: a.secret}
	for _, name := range a.names {
		c.Subscribe = append(c.Subscribe, wire.Want{Channel: name, Since: a.since[name]})
	}
	return wire.AppendConnect(nil, c)
}

// position returns a since if it is a position.
func position(since string) string {
	if slices.Contains([]string{"", "now", "all"}, since) {
		return ""
	}
	return since
}

func parseFrame(p []byte) (*wire.ServerFrame, error) {
	f := &wire.ServerFrame{}
	if err := json.Unmarshal(p, f); err != nil {
		return nil, fmt.Errorf("a frame that is none, %.80q: %w", p, err)
	}
	return f, nil
}

func standing(position string) *wire.ServerFrame {
	return &wire.ServerFrame{Op: wire.OpPing, Position: position}
}

// do makes a request, and reads what refuses it.
func do(h *http.Client, req *http.Request, want int) (*http.Response, error) {
	resp, err := h.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == want {
		return resp, nil
	}
	return nil, refusal(resp)
}

// refusal reads a problem.
func refusal(resp *http.Response) error {
	defer resp.Body.Close()
	p, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var problem struct {
		Code   wire.Code
		Detail string
	}
	if json.Unmarshal(p, &problem) == nil && problem.Code != "" {
		return &wire.Error{Code: problem.Code, Message: problem.Detail}
	}
	return fmt.Errorf("status %s and no problem, %.80q: %w", resp.Status, p, errOr(err))
}

func errOr(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// silence is how long a link may be silent: longer than any heartbeat.
const silence = 40 * time.Second

// told returns what a response's header says: of gaps, and where it begins.
func told(h http.Header) (frames []*wire.ServerFrame) {
	for name := range strings.SplitSeq(h.Get("Longwire-Gap"), ",") {
		if name != "" {
			frames = append(frames, &wire.ServerFrame{Op: wire.OpGap, Channel: name})
		}
	}
	if at := h.Get("Longwire-Position"); at != "" {
		frames = append(frames, standing(at))
	}
	return frames
}
