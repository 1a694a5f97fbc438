package client

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/wire"
)

// After a cut the session is resumed, each subscription behind the last
// publication that was processed.
func TestResume(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		if got := string(b.link.g.frame); got != `{"op":"connect","id":1,"version":1,"token":"T","subscribe":[]}` {
			t.Errorf("greeting %s", got)
		}
		news := b.subscribe("news", "all")
		b.subscribe("chat.*", "")
		b.say(message("news", "p2", `1`), message("news", "p3", `2`), `{"op":"unheard of"}`,
			`{"op":"message","channel":"chat.a","sub":"chat.*","position":"p4","type":"text","data":"\u0041"}`)
		b.heard("news p2 1", "news p3 2", "chat.a p4 A")
		if got := news.Position(); got != "p3" {
			t.Errorf("position %q", got)
		}
		b.comesBack(nil)
		b.heard("lost", "back")
		want := []string{`{"channel":"news","since":"p3"}`, `{"channel":"chat.*","since":"p4"}`}
		frame := `{"op":"connect","id":4,"version":1,"token":"T","session":"S","secret":"X","subscribe":[%s,%s]}`
		if got := string(b.link.g.frame); got != fmt.Sprintf(frame, want[0], want[1]) && got != fmt.Sprintf(frame, want[1], want[0]) {
			t.Errorf("greeting %s", got)
		}
		b.say(message("news", "p5", `3`))
		b.heard("news p5 3")
		b.sent()
	})
}

// A stream's server speaks first, so frames make the subscriptions anew. What
// comes before their answers is not theirs.
func TestResumeStream(t *testing.T) {
	onBench(t, NDJSON, func(b *bench) {
		b.subscribe("news", "all")
		b.say(message("news", "p2", `1`))
		b.heard("news p2 1")
		b.comesBack(nil)
		if b.link.g.frame != nil || b.link.g.session != "S" || b.link.g.secret != "X" || b.link.g.token != "T" {
			t.Errorf("greeting %+v", b.link.g)
		}
		b.sent(`{"op":"unsubscribe","id":2,"channel":"news"}`, `{"op":"subscribe","id":3,"channel":"news","since":"p2"}`)
		b.say(message("news", "p9", `8`), `{"op":"reply","id":2,"channel":"news"}`, `{"op":"reply","id":3,"channel":"news","position":"p2"}`,
			message("news", "p3", `2`))
		b.heard("lost", "back", "news p3 2")
	})
}

// Where nothing happens the heartbeat keeps the position young.
func TestHeartbeat(t *testing.T) {
	for via, pong := range map[Via][]string{TCP: {`{"op":"pong"}`}, WebSocket: nil} {
		onBench(t, via, func(b *bench) {
			s := b.subscribe("news", "")
			b.say(`{"op":"ping","position":"p7"}`, `{"op":"ping"}`)
			if got := s.Position(); got != "p7" {
				t.Errorf("position %q", got)
			}
			if len(pong) > 0 {
				pong = []string{pong[0], pong[0]} // one for each, unless they came at once
			}
			if len(b.link.up) == 1 {
				pong = pong[:1]
			}
			b.sent(pong...)
		})
	}
}

// A gap is told once, though an answer and a frame tell of it.
func TestGap(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		s := b.subscribe("news", "")
		b.way.hello = []string{
			`{"op":"gap","channel":"news","after":"p1","position":"p8"}`,
			message("news", "p9", `1`),
			`{"op":"gap","channel":"news","after":"p9","position":"p11","lost":2}`,
		}
		b.comesBack(nil)
		b.heard("lost", "back", "gap news p1 p8", "news p9 1", "gap news p9 p11")
		b.way.hello = nil
		b.say(`{"op":"reply","id":99}`)
		b.settle("news", "p20", true, nil)
		b.say(`{"op":"gap","channel":"news","after":"p11","position":"p20"}`, `{"op":"gap","channel":"news","after":"p20","position":"p21"}`)
		b.heard("gap news p11 p20", "gap news p20 p21")
		if got := s.Position(); got != "p21" {
			t.Errorf("position %q", got)
		}
	})
}

// A subscription that is not allowed any more ends; the others go on.
func TestEnd(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.subscribe("news", "")
		b.subscribe("chat", "")
		b.settle("news", "", false, &wire.Error{Code: wire.CodeForbidden})
		b.say(message("news", "p2", `1`), message("chat", "p2", `1`))
		b.heard("end news forbidden", "chat p2 1")
	})
}

func TestUnsubscribe(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		s := b.subscribe("news", "")
		ended := make(chan error, 1)
		go func() { ended <- s.Unsubscribe(b.t.Context()) }()
		b.sent(`{"op":"unsubscribe","id":3,"channel":"news"}`)
		b.say(message("news", "p2", `1`), `{"op":"reply","id":3,"channel":"news"}`)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		b.heard()
		// One that was not answered is done by the greeting.
		s = b.subscribe("news", "")
		go func() { ended <- s.Unsubscribe(b.t.Context()) }()
		synctest.Wait()
		b.comesBack(nil)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := string(b.link.g.frame); got != `{"op":"connect","id":6,"version":1,"token":"T","session":"S","secret":"X","subscribe":[]}` {
			t.Errorf("greeting %s", got)
		}
		b.sent()
		b.heard("lost", "back")
	})
}

// Who subscribes while there is no link is in the next greeting.
func TestSubscribeWithoutLink(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.way.refuse(errors.New("nobody there"))
		b.link.end(nil)
		synctest.Wait()
		subscribed := make(chan error, 1)
		go func() {
			_, err := b.Subscribe(b.t.Context(), "news", &SubscribeOptions{Since: "last:5"})
			subscribed <- err
		}()
		time.Sleep(5 * time.Second)
		b.way.refuse(nil)
		b.link = <-b.way.links
		if err := <-subscribed; err != nil {
			t.Error(err)
		}
		b.sent()
	})
}

// A session that is not there any more, or whose secret is wrong, makes room for
// a new one.
func TestNewSession(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.subscribe("news", "")
		b.way.refuse(&wire.Error{Code: wire.CodeForbidden})
		opened := len(b.way.attempts())
		b.link.end(nil)
		<-b.Done()
		if n := len(b.way.attempts()) - opened; n != 2 || wire.CodeOf(b.Err()) != wire.CodeForbidden {
			t.Errorf("%d attempts, then %v; want a second one without the session", n, b.Err())
		}
		if b.session != "" {
			t.Error("the session is still named")
		}
	})
}

// When connecting again does not help, the client ends, and everybody hears why.
func TestNeverAgain(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		failed := make(chan error, 2)
		go func() {
			_, err := b.Subscribe(b.t.Context(), "news", nil)
			failed <- err
		}()
		go func() {
			_, err := b.Call(b.t.Context(), "add", Data{Type: JSON, Bytes: []byte("1")})
			failed <- err
		}()
		synctest.Wait()
		b.say(`{"op":"close","code":"draining","reason":"gone for good","retry":-1}`)
		<-b.Done()
		codes := map[wire.Code]bool{wire.CodeOf(<-failed): true, wire.CodeOf(<-failed): true}
		if !codes[wire.CodeOutcomeUnknown] || !codes[wire.CodeDraining] {
			t.Errorf("failed with %v", codes)
		}
		if _, err := b.Publish(b.t.Context(), "news", Data{}, nil); wire.CodeOf(err) != wire.CodeDraining {
			t.Errorf("afterwards: %v", err)
		}
		b.heard()
	})
}

// A server that says when to come back is obeyed.
func TestRetryHint(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		begin := time.Now()
		b.say(`{"op":"close","code":"draining","reason":"restart","retry":12345}`)
		b.link = <-b.way.links
		if got := time.Since(begin); got != 12345*time.Millisecond {
			t.Errorf("came back after %v", got)
		}
	})
}

// Attempts spread over at most 20 s, and one success in between changes little.
func TestBackoff(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.way.refuse(errors.New("nobody there"))
		b.link.end(nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		last := time.Duration(0)
		longest := time.Duration(0)
		for _, at := range b.way.attempts()[1:] {
			longest = max(longest, at-last)
			last = at
		}
		if n := len(b.way.attempts()); n < 30 || n > 150 || longest > 20*time.Second || longest < 10*time.Second {
			t.Errorf("%d attempts in 10 minutes, %v apart at most", n, longest)
		}
		b.way.refuse(nil)
		b.link = <-b.way.links
	})
}

// A link that is cut soon does not make up for failures, one that lived does.
func TestBackoffBeginsAnew(t *testing.T) {
	b := backoff{}
	for range 3 {
		b.next(errors.New("x"))
	}
	if b.lived(2 * time.Second); b.failed != 3 {
		t.Error("begins anew after a bound of 2 s and a link of 2 s")
	}
	if b.lived(2*time.Second + 1); b.failed != 0 {
		t.Error("does not begin anew after a longer one")
	}
}

func TestBackoffNext(t *testing.T) {
	for _, tt := range []struct {
		name   string
		failed int
		err    error
		most   time.Duration // zero: never
		exact  bool
	}{
		{"first", 0, errors.New("x"), 500 * time.Millisecond, false},
		{"third", 2, errors.New("x"), 2 * time.Second, false},
		{"later", 1 << 30, errors.New("x"), 20 * time.Second, false},
		{"hint", 3, &wire.Error{Code: wire.CodeGoingAway, Retry: time.Minute}, time.Minute, true},
		{"hint of a code that does not help", 3, &wire.Error{Code: wire.CodeForbidden, Retry: time.Minute}, time.Minute, true},
		{"a code", 0, &wire.Error{Code: wire.CodeLifetime}, 500 * time.Millisecond, false},
		{"wrapped", 0, fmt.Errorf("x: %w", &wire.Error{Code: wire.CodeSuperseded}), 0, false},
		{"never", 0, &wire.Error{Code: wire.CodeGoingAway, Retry: -1}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 1000 {
				b := backoff{failed: tt.failed}
				wait, ok := b.next(tt.err)
				if ok != (tt.most > 0) || wait > tt.most || tt.exact && wait != tt.most {
					t.Fatalf("%v, %v", wait, ok)
				}
			}
		})
	}
}
