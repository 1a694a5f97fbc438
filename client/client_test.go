package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/testcert"
	"github.com/longwire/longwire/wire"
)

// What one client publishes others hear, whatever the way and the data.
func TestPublishAndSubscribe(t *testing.T) {
	h := newHouse(t, &longwire.Options{})
	everyWay(t, func(t *testing.T, via Via) {
		c := h.dial(t, via)
		name := "news." + string(via)
		k, all := collect(), collect()
		s, err := c.Subscribe(t.Context(), name, k.options(""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Subscribe(t.Context(), "*."+string(via), all.options("")); err != nil {
			t.Fatal(err)
		}
		var last string
		for _, d := range []Data{
			{Type: JSON, Bytes: []byte(`{ "a": 1.0 }`)},
			text("two\nlines ☃"),
			{Type: Binary, Bytes: []byte{0, 0xff}},
			{ContentType: "image/png", Bytes: []byte("png")},
			text(strings.Repeat("x", 200_000)),
		} {
			if last, err = c.Publish(t.Context(), name, d, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range []*collector{k, all} {
			k.want(t, name+` json {"a":1.0}`, name+" text two\nlines ☃", name+" binary \x00\xff", name+" binary png", name+" text "+strings.Repeat("x", 200_000))
		}
		if err := s.Unsubscribe(t.Context()); err != nil {
			t.Error(err)
		}
		if last == "" || len(k.gaps) > 0 {
			t.Errorf("last position %q, %d gaps", last, len(k.gaps))
		}
	})
}

// Since everything, since a position: exactly what follows.
func TestSince(t *testing.T) {
	h := newHouse(t, &longwire.Options{})
	everyWay(t, func(t *testing.T, via Via) {
		c := h.dial(t, via)
		name := "since." + string(via)
		var at []longwire.Position
		var all []string
		for i := range 10 {
			p, err := h.Publish(t.Context(), name, fmt.Append(nil, i), &longwire.PublishOptions{Kind: longwire.Text})
			if err != nil {
				t.Fatal(err)
			}
			at, all = append(at, p), append(all, fmt.Sprint(name, " text ", i))
		}
		for since, want := range map[string][]string{"all": all, "last:3": all[7:], string(at[4]): all[5:], "10m": all} {
			k := collect()
			s, err := c.Subscribe(t.Context(), name, k.options(since))
			if err != nil {
				t.Fatal(err)
			}
			k.want(t, want...)
			if s.Position() == "" {
				t.Error("no position")
			}
			if err := s.Unsubscribe(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		k := collect()
		if _, err := c.Subscribe(t.Context(), name, k.options("k3f9-1-1")); err != nil {
			t.Fatal(err)
		}
		k.want(t, all...)
		if len(k.gaps) != 1 {
			t.Errorf("a foreign position: %d gaps, want 1", len(k.gaps))
		}
		if _, err := c.Subscribe(t.Context(), "x", &SubscribeOptions{Since: "yesterday"}); wire.CodeOf(err) != wire.CodeBadRequest {
			t.Errorf("nonsense: %v", err)
		}
	})
}

// Whatever is cut, each publication is heard once, in order.
func TestNothingLost(t *testing.T) {
	h := newHouse(t, &longwire.Options{})
	const total, cuts = 900, 3 // no more than is kept
	everyWay(t, func(t *testing.T, via Via) {
		name := "flow." + string(via)
		k, old := collect(), collect()
		c := h.dial(t, via)
		publish := func(from, to int) {
			for i := from; i < to; i++ {
				if _, err := h.Publish(context.Background(), name, fmt.Append(nil, i), &longwire.PublishOptions{Kind: longwire.Text}); err != nil {
					t.Error(err)
				}
			}
		}
		publish(0, total/2)
		if _, err := c.Subscribe(t.Context(), name, k.options("all")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Subscribe(t.Context(), "flow.*", old.options("now")); err != nil {
			t.Fatal(err)
		}
		session := c.Session()
		var wg sync.WaitGroup
		wg.Go(func() { publish(total/2, total) })
		for i := range cuts {
			k.want(t, flow(name, i*total/cuts/2, (i+1)*total/cuts/2)...)
			c.interrupt()
		}
		k.want(t, flow(name, total/2, total)...)
		wg.Wait()
		select {
		case more := <-k.got:
			t.Errorf("then %q", more)
		case <-time.After(50 * time.Millisecond):
		}
		if len(k.gaps)+len(old.gaps) > 0 {
			t.Error("there are gaps")
		}
		// Of streams below. Who polls and is cut in the middle of a POST begins anew: nobody knows what was taken over.
		if via != SSE && via != NDJSON && via != Poll && c.Session() != session {
			t.Errorf("the session was %s and is %s", session, c.Session())
		}
	})
}

func flow(name string, from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint(name, " text ", i))
	}
	return list
}

// Publications with keys are there exactly once, in spite of cuts; of those
// without, those are that were acknowledged.
func TestPublishAcrossCuts(t *testing.T) {
	h := newHouse(t, &longwire.Options{})
	everyWay(t, func(t *testing.T, via Via) {
		c := h.dial(t, via)
		const total = 400
		for _, keyed := range []bool{true, false} {
			name := fmt.Sprintf("keys.%s.%v", via, keyed)
			var wg, cut sync.WaitGroup
			var mu sync.Mutex
			failed := make(map[string]error) // guarded by mu
			for i := range total {
				switch i % 100 {
				case 50: // goes on while there is no connection
					cut.Go(c.interrupt)
				case 60:
					cut.Wait()
				}
				o := &PublishOptions{}
				if keyed {
					o.Key = fmt.Sprint(i)
				}
				data := fmt.Sprint(i)
				wg.Add(1)
				err := c.PublishFunc(t.Context(), name, text(data), o, func(_ string, err error) {
					defer wg.Done()
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed[data] = err
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			wg.Wait()
			times := make(map[string]int)
			for m, err := range c.History(t.Context(), name, nil) {
				if err != nil {
					t.Fatal(err)
				}
				times[string(m.Data.Bytes)]++
			}
			for i := range total {
				n, err := times[fmt.Sprint(i)], failed[fmt.Sprint(i)]
				if keyed && (n != 1 || err != nil) || !keyed && (n > 1 || n == 0 && err == nil) {
					t.Errorf("keyed %v, %d: %d times, %v", keyed, i, n, err)
				}
				if err != nil && wire.CodeOf(err) != wire.CodeOutcomeUnknown {
					t.Errorf("%d: %v", i, err)
				}
			}
		}
	})
}

func TestCall(t *testing.T) {
	asked := make(chan struct{}, 1)
	h := newHouse(t, &longwire.Options{Handler: longwire.Handler{Call: func(_ *longwire.Session, c *longwire.Call) {
		switch c.Method {
		case "echo":
			c.Reply(c.Kind, c.Data)
		case "never":
			asked <- struct{}{}
		default:
			c.Fail(wire.Errorf(wire.CodeNotFound, "there is no %s", c.Method))
		}
	}}})
	everyWay(t, func(t *testing.T, via Via) {
		c := h.dial(t, via)
		for _, d := range []Data{{Type: JSON, Bytes: []byte(`[1]`)}, text("x"), {Bytes: []byte{0xff}}} {
			got, err := c.Call(t.Context(), "echo", d)
			if err != nil || got.Type != d.Type || string(got.Bytes) != string(d.Bytes) {
				t.Errorf("%v, %v", got, err)
			}
		}
		if _, err := c.Call(t.Context(), "unheard", text("")); wire.CodeOf(err) != wire.CodeNotFound || !strings.Contains(err.Error(), "there is no unheard") {
			t.Error(err)
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			<-asked
			c.interrupt()
		}()
		if _, err := c.Call(t.Context(), "never", text("")); wire.CodeOf(err) != wire.CodeOutcomeUnknown {
			t.Error(err)
		}
		<-over
		if got, err := c.Call(t.Context(), "echo", text("again")); err != nil || string(got.Bytes) != "again" {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// A stream's session is resumed too, unless it is cut while a POST is under way:
// then nobody knows which numbers were used.
func TestStreamSession(t *testing.T) {
	h := newHouse(t, &longwire.Options{})
	for _, via := range []Via{SSE, NDJSON} {
		c := h.dial(t, via)
		for n := 0; ; n++ {
			if _, err := c.Publish(t.Context(), "a", text("x"), nil); err != nil {
				t.Fatal(err)
			}
			session := c.Session()
			c.interrupt()
			if c.Session() == session {
				break
			}
			if n == 20 {
				t.Fatalf("%s: never the same session", via)
			}
		}
	}
}

// The token is told whatever the way.
func TestToken(t *testing.T) {
	h := newHouse(t, &longwire.Options{Handler: longwire.Handler{Connect: func(_ context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
		if r.Token != "open sesame" {
			return nil, &wire.Error{Code: wire.CodeUnauthorized}
		}
		return nil, nil
	}}})
	everyWay(t, func(t *testing.T, via Via) {
		c, err := Dial(t.Context(), h.addr(via), &Options{Via: via, Token: "open sesame"})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if _, err := Dial(t.Context(), h.addr(via), &Options{Via: via}); wire.CodeOf(err) != wire.CodeUnauthorized {
			t.Errorf("without a token: %v", err)
		}
	})
}

// An inbox is the server's subscription, and heard like any other, also after a cut.
func TestInbox(t *testing.T) {
	h := newHouse(t, &longwire.Options{Handler: longwire.Handler{Connect: func(context.Context, *longwire.ConnectRequest) (*longwire.Peer, error) {
		return &longwire.Peer{User: "ann"}, nil
	}}})
	everyWay(t, func(t *testing.T, via Via) {
		c := h.dial(t, via)
		k := collect()
		if _, err := c.Subscribe(t.Context(), "@ann", k.options("")); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if i > 0 {
				c.interrupt()
			}
			if _, err := h.Publish(t.Context(), "@ann", fmt.Append(nil, i), &longwire.PublishOptions{Kind: longwire.Text}); err != nil {
				t.Fatal(err)
			}
			k.want(t, fmt.Sprint("@ann text ", i))
		}
	})
}

// With TLS all ways are the same; without the server's certificate there is none.
func TestTLS(t *testing.T) {
	h := newHouse(t, &longwire.Options{})
	cert, pool := testcert.New(t)
	wrap := func(ln net.Listener) net.Listener {
		return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	web, lines := newRelay(t, h.http.to, wrap), newRelay(t, h.tcp.to, wrap)
	everyWay(t, func(t *testing.T, via Via) {
		addr := "https://" + web.addr
		if via == TCP {
			addr = "tls://" + lines.addr
		}
		if _, err := Dial(t.Context(), addr, &Options{Via: via}); err == nil {
			t.Error("an unknown certificate is trusted")
		}
		c, err := Dial(t.Context(), addr, &Options{Via: via, TLS: &tls.Config{RootCAs: pool}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Publish(t.Context(), "a", text("x"), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestHistory(t *testing.T) {
	h := newHouse(t, &longwire.Options{})
	const total = 2500 // more than a page, and more than is kept
	for i := range total {
		if _, err := h.Publish(t.Context(), "h", fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	everyWay(t, func(t *testing.T, via Via) {
		c := h.dial(t, via)
		n, last := 0, ""
		for m, err := range c.History(t.Context(), "h", nil) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			last = string(m.Data.Bytes)
		}
		if n < 1000 || last != fmt.Sprint(total-1) {
			t.Errorf("%d publications up to %s", n, last)
		}
		n = 0
		for m, err := range c.History(t.Context(), "*", &HistoryOptions{Limit: 1001}) {
			if n++; err != nil || m.Channel != "h" {
				t.Fatal(m, err)
			}
		}
		if n != 1001 {
			t.Errorf("%d publications of all channels, want 1001", n)
		}
		n = 0
		for range c.History(t.Context(), "h", &HistoryOptions{Since: "last:5", Limit: 3}) {
			n++
		}
		if n != 3 {
			t.Errorf("%d publications, want 3", n)
		}
		gap := 0
		for _, err := range c.History(t.Context(), "h", &HistoryOptions{Since: "k3f9-1-1", Limit: 3}) {
			if _, ok := errors.AsType[*GapError](err); ok {
				gap++
			}
		}
		if gap != 1 {
			t.Errorf("%d gaps, want 1", gap)
		}
	})
}
