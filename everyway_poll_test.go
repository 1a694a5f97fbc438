package longwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A polled session is polled request by request.
type polled struct {
	r               *rig
	session, secret string
}

// A polling is the answer to a poll.
type polling struct {
	Answer     int
	Messages   []frame
	Position   string
	Superseded bool
	answered
}

func (r *rig) decode(a answered, err error) polling {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	p := polling{answered: a}
	if a.status/100 != 2 {
		return p
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Longwire-Answer") != fmt.Sprint(p.Answer) {
		r.t.Fatalf("an answer that is none: %+v: %v", a, err)
	}
	return p
}

// begin posts the frames that open a polled session.
func (r *rig) begin(frames ...string) (polled, polling) {
	r.t.Helper()
	a := r.decode(r.do("POST", "/connect", strings.Join(frames, "\n")), nil)
	if a.status != 201 || len(a.Messages) == 0 || a.Messages[0].Op != "connected" || a.Answer != 1 || a.header.Get("Cache-Control") != "no-store" {
		r.t.Fatalf("POST /connect was answered %+v", a)
	}
	return polled{r, a.Messages[0].Session, a.Messages[0].Secret}, a
}

// poll polls once.
func (s polled) poll(query string) polling {
	s.r.t.Helper()
	return s.r.decode(s.tryPoll(s.r.t.Context(), query))
}

func (s polled) tryPoll(ctx context.Context, query string) (answered, error) {
	return s.r.tryDo(ctx, "GET", "/connect/"+s.session+"?"+query, "", "Longwire-Secret", s.secret)
}

func TestBeginPolling(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		r.publish("x", "1")
		s, a := r.begin(`{"op":"connect","id":1,"subscribe":[{"channel":"x","since":"all"}]}`, `{"op":"dance","id":2}`)
		for seen := len(a.Messages); seen < 3; {
			a = s.poll(fmt.Sprintf("wait=20s&ack=%d", a.Answer))
			if seen += len(a.Messages); len(a.Messages) == 0 || number(a.Position) != "1" || a.header.Get("Longwire-Position") != a.Position {
				t.Fatalf("answered %+v", a)
			}
		}
		for _, body := range []string{"", "\n \n"} {
			_, a := r.begin(body)
			if len(a.Messages) != 1 || a.Messages[0].ID != 0 {
				t.Errorf("an empty POST was answered %+v", a)
			}
		}
	})
}

func TestPollAnswers(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		s, _ := r.begin(`{"op":"connect","id":1,"subscribe":[{"channel":"x"}]}`)
		r.publish("x", "1")
		first := s.poll("wait=20s&ack=1")
		if first.Answer != 2 || len(first.Messages) != 1 {
			t.Fatalf("answered %+v", first)
		}
		r.publish("x", "2")
		for _, query := range []string{"wait=20s&ack=1", "wait=0", "wait=20s&ack=0"} { // not acknowledged: given again, as it was
			if again := s.poll(query); again.body != first.body {
				t.Errorf("?%s was answered %+v, want %s", query, again, first.body)
			}
		}
		next := s.poll("wait=20s&ack=2")
		if next.Answer != 3 || len(next.Messages) != 1 || string(next.Messages[0].Data) != `"2"` {
			t.Errorf("answered %+v", next)
		}
		for _, query := range []string{"ack=4", "ack=-1", "ack=x", "ack=18446744073709551616", "wait=-1s", "wait=soon"} {
			if a := s.poll(query); a.status != 400 || !strings.Contains(a.body, `"bad_request"`) {
				t.Errorf("?%s was answered %+v", query, a)
			}
		}
		begun := time.Now()
		r.publish("other", "3")
		if a := s.poll("wait=20s&ack=3"); a.Answer != 3 || len(a.Messages) != 0 || number(a.Position) != "3" || time.Since(begun) != 20*time.Second {
			t.Errorf("answered %+v after %v", a, time.Since(begun))
		}
	})
}

func TestTwoPolls(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		s, _ := r.begin(`{"op":"connect","id":1,"subscribe":[{"channel":"x"}]}`)
		older := make(chan polling)
		go func() { older <- s.poll("wait=20s&ack=1") }()
		synctest.Wait()
		newer := make(chan polling)
		go func() { newer <- s.poll("wait=20s&ack=1") }()
		if a := <-older; !a.Superseded || len(a.Messages) != 0 || a.Position != "" {
			t.Errorf("the older was answered %+v", a)
		}
		r.publish("x", "1")
		if a := <-newer; a.Superseded || len(a.Messages) != 1 {
			t.Errorf("the newer was answered %+v", a)
		}
	})
}

// resume posts a connect that resumes the session by a link of its own.
func (s polled) resume() polling {
	s.r.t.Helper()
	frame := fmt.Sprintf(`{"op":"connect","id":1,"session":%q,"secret":%q}`, s.session, s.secret)
	a := s.r.decode(s.r.do("POST", "/connect", frame), nil)
	if a.status != 201 || len(a.Messages) == 0 || a.Messages[0].Op != "connected" || a.Messages[0].Session != s.session {
		s.r.t.Fatalf("resuming was answered %+v", a)
	}
	return a
}

// TestLatePoll has polls of an earlier link of the session come late, with every
// number that one had: none acknowledges an answer of the next link, or takes it from
// the poll that waits.
func TestLatePoll(t *testing.T) {
	for name, between := range map[string]func(r *rig, s polled, ack int){
		"at once": func(*rig, polled, int) {},
		"while it waits": func(r *rig, s polled, ack int) {
			done := make(chan struct{})
			go func() { defer close(done); s.poll(fmt.Sprintf("wait=20s&ack=%d", ack)) }()
			r.t.Cleanup(func() { <-done })
			synctest.Wait()
		},
		"with something to tell": func(r *rig, _ polled, _ int) { r.publish("x", "unread") },
		"lost before":            func(*rig, polled, int) { time.Sleep(61 * time.Second) },
		"after a WebSocket": func(r *rig, s polled, _ int) {
			p, err := r.tryDial(way("ws"), ways.Options{Resume: &ways.Credentials{Session: s.session, Secret: s.secret}})
			if err != nil {
				r.t.Fatal(err)
			}
			p.connected()
			p.Cut()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, openToAll, func(t *testing.T, r *rig) {
				s, last := r.begin(`{"op":"connect","id":1,"subscribe":[{"channel":"x"}]}`)
				for last.Answer < 3 {
					r.publish("x", "before")
					last = s.poll(fmt.Sprintf("wait=20s&ack=%d", last.Answer))
				}
				for range 3 {
					between(r, s, last.Answer)
					begun := s.resume()
					late := func() {
						t.Helper()
						for n := 1; n <= last.Answer+1; n++ { // one more than the client has seen
							if a := s.poll(fmt.Sprintf("wait=0&ack=%d", n)); a.status != wire.CodeSuperseded.Status() {
								t.Fatalf("a late poll with ack=%d was answered %+v", n, a)
							}
						}
					}
					late()
					if again := s.poll(""); again.body != begun.body {
						t.Fatalf("without ack it was answered %+v, want %s", again, begun.body)
					}
					answer := make(chan polling)
					go func() { answer <- s.poll(fmt.Sprintf("wait=20s&ack=%d", begun.Answer)) }()
					synctest.Wait()
					late()
					r.publish("x", "after")
					next := <-answer
					if len(next.Messages) == 0 || next.Answer != begun.Answer+1 {
						t.Fatalf("answered %+v", next)
					}
					late()
					if again := s.poll(""); again.body != next.body {
						t.Fatalf("without ack it was answered %+v, want %s", again, next.body)
					}
					last = next
				}
			})
		})
	}
}

// TestHead asks for headers only: no answer is taken or acknowledged, no poll that
// waits is superseded, no session begins, and nobody waits.
func TestHead(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		head := func(path, media string, header ...string) {
			t.Helper()
			begun := time.Now()
			a := r.do("HEAD", path, "", header...)
			if a.status != 200 || a.body != "" || !strings.HasPrefix(a.header.Get("Content-Type"), media) || time.Since(begun) > 0 {
				t.Errorf("HEAD %s was answered %+v after %v", path, a, time.Since(begun))
			}
		}
		s, begun := r.begin(`{"op":"connect","id":1,"subscribe":[{"channel":"x"}]}`)
		poll := "/connect/" + s.session
		head(poll, "application/json", "Longwire-Secret", s.secret)
		head(poll+"?ack=1", "application/json", "Longwire-Secret", s.secret)
		if again := s.poll("wait=20s"); again.body != begun.body {
			t.Errorf("after HEAD the answer is %+v, want %s", again, begun.body)
		}
		for _, header := range [][]string{nil, {"Longwire-Secret", "x"}} {
			if a := r.do("HEAD", poll, "", header...); a.status != 403 {
				t.Errorf("HEAD with %v was answered %+v", header, a)
			}
		}
		answer := make(chan polling)
		go func() { answer <- s.poll("wait=20s&ack=1") }()
		synctest.Wait()
		head(poll+"?ack=1", "application/json", "Longwire-Secret", s.secret)

		head("/channels/x?wait=20s", "application/json")
		head("/channels/x", "application/x-ndjson")
		head("/channels/x?since=all", "text/event-stream", "Accept", "text/event-stream")
		head("/connect?channel=x", "application/x-ndjson")
		head("/connect?channel=x", "text/event-stream", "Accept", "text/event-stream")
		if n := r.node.Subscribers("x"); n != 1 {
			t.Errorf("%d are subscribed", n)
		}
		r.publish("x", "1")
		if a := <-answer; a.Superseded || a.Answer != 2 || len(a.Messages) != 1 {
			t.Errorf("the poll that waited was answered %+v", a)
		}
	})
}

// TestPollCut cuts polls that wait: what is answered to nobody is given again.
func TestPollCut(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		s, a := r.begin(`{"op":"connect","id":1,"subscribe":[{"channel":"x"}]}`)
		for i := range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			if a, err := s.tryPoll(ctx, fmt.Sprintf("wait=20s&ack=%d", a.Answer)); err == nil {
				t.Fatalf("answered %+v", a)
			}
			cancel()
			r.numbers("x", i, i)
			if a = s.poll(fmt.Sprintf("wait=20s&ack=%d", a.Answer)); len(a.Messages) != 1 || string(a.Messages[0].Data) != fmt.Sprintf(`"%d"`, i) {
				t.Fatalf("answered %+v", a)
			}
		}
	})
}

// TestPollSlowHook has somebody decide slowly about a client whose first frame is no good.
func TestPollSlowHook(t *testing.T) {
	o := longwire.Options{Open: true, Handler: longwire.Handler{Connect: func(context.Context, *longwire.ConnectRequest) (*longwire.Peer, error) {
		time.Sleep(2 * time.Second)
		return nil, nil
	}}}
	inBubble(t, o, func(t *testing.T, r *rig) {
		for _, body := range []string{"", "garbage", `{"op":"ping","id":3}`, "garbage\n" + `{"op":"ping","id":3}`} {
			a := r.decode(r.do("POST", "/connect", body), nil)
			var ops []string
			for _, m := range a.Messages {
				ops = append(ops, m.Op)
			}
			if !strings.Contains(strings.Join(ops, " "), "connected") {
				t.Errorf("%q was answered %+v", body, a)
			}
		}
	})
}

// TestNotPolled polls sessions that are not to be polled.
func TestNotPolled(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		s := polled{r, p.session, p.secret}
		if w.Name == "poll" {
			p.Cut()
			time.Sleep(2 * time.Minute) // beyond the window
			if a := s.poll(""); a.status != 410 {
				t.Errorf("answered %+v", a)
			}
			return
		}
		if a := s.poll(""); a.status != wire.CodeSuperseded.Status() {
			t.Errorf("answered %+v", a)
		}
		p.Cut()
		time.Sleep(time.Second)
		if a := s.poll(""); a.status != 410 || !strings.Contains(a.body, `"session_moved"`) {
			t.Errorf("answered %+v", a)
		}
		n, _ := p.again(way("poll"), "", "x")
		r.publish("x", "1")
		n.message("x", `"1"`)
	})
}
