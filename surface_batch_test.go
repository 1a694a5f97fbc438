package longwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/wire"
)

// lineAnswer is the answer to a line of a batch.
type lineAnswer struct {
	published
	Line    int
	Code    wire.Code
	Message string
	Retry   *int
}

func (s *surfaced) batch(channel, body string) []lineAnswer {
	s.t.Helper()
	a := s.do("POST", "/channels/"+channel, body, "Content-Type", "application/x-ndjson")
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" {
		s.t.Fatalf("%+v", a)
	}
	return lineAnswers(s.t, a.body)
}

func lineAnswers(t testing.TB, body string) (list []lineAnswer) {
	t.Helper()
	for line := range strings.Lines(body) {
		list = append(list, decode[lineAnswer](t, line))
	}
	return list
}

// Each line is answered, in order; one that is refused keeps no other from being
// published.
func TestBatch(t *testing.T) {
	s := serveSurface(t, nil)
	lines := []struct {
		line string
		code wire.Code
	}{
		{`{"data":{"n": 1},"key":"k1"}`, ""},
		{`{"n":2}`, wire.CodeBadFrame},
		{`3`, wire.CodeBadFrame},
		{`{"type":"text","data":"four","headers":{"a":"b"}}`, ""},
		{`{"data":5,"channel":"other"}`, wire.CodeBadFrame},
		{`{"data":"` + "\xff" + `"}`, wire.CodeBadUTF8},
		{`{"data64":"!"}`, wire.CodeBadFrame},
		{`{"data":1,"headers":{"a":1}}`, wire.CodeBadFrame},
		{`{"type":"image/png","data64":"/g=="}`, ""},
		{`{"data":"` + strings.Repeat("x", wire.MaxMessage) + `"}`, wire.CodeTooLarge},
		{`{"data":null}`, ""},
	}
	var body strings.Builder
	for _, l := range lines {
		body.WriteString(l.line + "\r\n\n")
	}
	answers := s.batch("news", strings.TrimSpace(body.String()))
	if len(answers) != len(lines) {
		t.Fatalf("%d answers to %d lines", len(answers), len(lines))
	}
	for i, a := range answers {
		switch want := lines[i].code; {
		case a.Code != want:
			t.Errorf("%.60s: %+v, want code %q", lines[i].line, a, want)
		case want == "" && (a.Channel != "news" || a.Position == "" || a.Subscribers == nil):
			t.Errorf("%.60s: %+v", lines[i].line, a)
		case want != "" && (a.Line != 2*i+1 || a.Message == "" || a.Retry == nil || *a.Retry != -1):
			t.Errorf("%.60s: %+v, line %d", lines[i].line, a, a.Line)
		}
	}
	h := decode[historyAnswer](t, s.do("GET", "/channels/news/history", "").body)
	if len(h.Publications) != 4 || h.Publications[3].Position != answers[10].Position || string(h.Publications[0].Data) != `{"n":1}` ||
		h.Publications[1].Headers["a"] != "b" || h.Publications[2].Type != "image/png" {
		t.Errorf("history %+v", h)
	}
}

func TestBatchEmpty(t *testing.T) {
	s := serveSurface(t, nil)
	for _, body := range []string{"", "\n", " \r\n\n"} {
		if answers := s.batch("a", body); len(answers) != 0 {
			t.Errorf("%q: %+v", body, answers)
		}
	}
}

// Lines are published while others are under way, and answered in their order
// whatever order they are acknowledged in; but no more than a few are under way.
func TestBatchUnderWay(t *testing.T) {
	for _, tt := range []struct {
		name        string
		size, count int
	}{{"many", 0, maxUnderWay}, {"large", 1 << 20, maxUnderWayBytes >> 20}} {
		t.Run(tt.name, func(t *testing.T) {
			b := newOddBroker(t)
			var mu sync.Mutex
			var held []func()
			full := make(chan struct{}, 1)
			count := tt.count
			if tt.size > 0 {
				count-- // what is around the data counts too
			}
			b.publish = func(p *Publication, done func(*Publication, error)) {
				mu.Lock()
				defer mu.Unlock()
				held = append(held, func() { b.Broker.Publish(p, done) })
				if len(held) > count {
					t.Errorf("%d are under way", len(held))
				} else if len(held) == count {
					full <- struct{}{}
				}
			}
			s := serveSurface(t, &Options{Open: true, Broker: b})
			line := `{"data":"` + strings.Repeat("x", max(0, tt.size-8)) + "\"}\n" // four are a little more than there may be
			answers := make(chan []lineAnswer)
			go func() { answers <- s.batch("a", strings.Repeat(line, 3*count)) }()
			for range 3 {
				<-full
				mu.Lock()
				now := held
				held = nil
				mu.Unlock()
				for i := range now {
					now[len(now)-1-i]() // the last first
				}
			}
			list := <-answers
			if len(list) != 3*count {
				t.Fatalf("%d answers", len(list))
			}
			for i, a := range list {
				p, _ := parsePosition(a.Position)
				if want := uint64(i/count*count + count - i%count); p.number != want {
					t.Fatalf("answer %d has the number %d, want %d", i, p.number, want)
				}
			}
		})
	}
}

// Answers do not wait for the end of the body.
func TestBatchConversation(t *testing.T) {
	s := serveSurface(t, nil)
	r, w := io.Pipe()
	req, err := http.NewRequest("POST", s.URL+"/lw/channels/news", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	go io.WriteString(w, "{\"data\":0}\n")
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answers := bufio.NewScanner(resp.Body)
	for i := range 10 {
		if !answers.Scan() {
			t.Fatal(answers.Err())
		}
		if a := decode[lineAnswer](t, answers.Text()); a.Position == "" {
			t.Errorf("%+v", a)
		}
		fmt.Fprintf(w, "{\"data\":%d}\n", i)
	}
	w.Close()
	if !answers.Scan() || answers.Scan() {
		t.Errorf("more or less answers than lines: %v", answers.Err())
	}
}

// Behind a middleware that hides the connection answers come when all is read.
func TestBatchHeld(t *testing.T) {
	n := newNode(t, nil)
	h := n.Handler()
	for body, want := range map[string]int{
		strings.Repeat("{\"data\":1}\n", 1000):                                  1000,
		strings.Repeat("{\"data\":1}\n", wire.MaxMessage/11) + "{\"data\":1}\n": wire.MaxMessage/11 + 1,
	} {
		r := httptest.NewRequest("POST", "/channels/a", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-ndjson")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		list := lineAnswers(t, w.Body.String())
		if w.Code != 200 || len(list) != want {
			t.Errorf("%d answers, want %d", len(list), want)
		}
		if last := list[len(list)-1]; (last.Code == wire.CodeTooLarge) != (len(body) > wire.MaxMessage) {
			t.Errorf("the last answer is %+v", last)
		}
	}
}

// A line that is too long ends the batch, after what was before it.
func TestBatchLongLine(t *testing.T) {
	s := serveSurface(t, &Options{Open: true, MaxMessage: 1000})
	most := wire.MaxFrame(1000)
	list := s.batch("a", "{\"data\":1}\n{\"data\":\""+strings.Repeat("x", most)+"\"}\n{\"data\":3}\n")
	if len(list) != 2 || list[0].Code != "" || list[1].Code != wire.CodeTooLarge || list[1].Line != 2 {
		t.Errorf("%+v", list)
	}
}

func TestBatchLong(t *testing.T) {
	w := httptest.NewRecorder()
	a := &arriving{Reader: strings.NewReader("123456"), rc: http.NewResponseController(w), left: 5, stopped: &(&batch{}).stopped}
	if b, err := io.ReadAll(a); len(b) > 5 || !errors.Is(err, errLong) {
		t.Errorf("%q %v", b, err)
	}
	a = &arriving{Reader: strings.NewReader("12345"), rc: a.rc, left: 5, stopped: a.stopped}
	if b, err := io.ReadAll(a); len(b) != 5 || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// A batch may be slow, but not stand still; and a client that does not read its
// answers is not read for ever.
func TestBatchWaits(t *testing.T) {
	inBubble := func(t *testing.T, f func(c net.Conn, n *Node)) {
		synctest.Test(t, func(t *testing.T) {
			e, err := NewEngine(&EngineOptions{Loops: 1, Goroutines: true, Log: noLog})
			if err != nil {
				t.Fatal(err)
			}
			n, err := New(&Options{Open: true, Engine: e, Log: noLog})
			if err != nil {
				t.Fatal(err)
			}
			ln := memnet.Listen("127.0.0.1:8080")
			srv := &http.Server{Handler: n.Handler()}
			served := make(chan error)
			go func() { served <- srv.Serve(ln) }()
			c, err := ln.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
			f(c, n)
			c.Close()
			srv.Close()
			<-served
			e.Close(context.Background())
			n.Close(context.Background())
		})
	}
	const line = "{\"data\":1}\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(line), line)
	t.Run("slow", func(t *testing.T) {
		inBubble(t, func(c net.Conn, _ *Node) {
			var writing sync.WaitGroup
			writing.Go(func() {
				for range 10 {
					time.Sleep(bodyTime - time.Second)
					io.WriteString(c, chunk)
				}
				time.Sleep(bodyTime + time.Second)
			})
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			list := lineAnswers(t, string(body))
			if len(list) != 11 || list[9].Code != "" || list[10].Code != wire.CodeBadRequest {
				t.Errorf("%v: %s", err, body)
			}
			writing.Wait()
		})
	})
	t.Run("draining", func(t *testing.T) {
		inBubble(t, func(c net.Conn, n *Node) {
			io.WriteString(c, chunk+chunk)
			begun := time.Now()
			synctest.Wait()
			n.Drain(context.Background())
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			list := lineAnswers(t, string(body))
			if len(list) != 3 || list[1].Code != "" || list[2].Code != wire.CodeDraining || list[2].Line != 3 || *list[2].Retry <= 0 {
				t.Errorf("%v: %s", err, body)
			}
			if d := time.Since(begun); d > 0 {
				t.Errorf("it ended after %v", d)
			}
		})
	})
	t.Run("deaf", func(t *testing.T) {
		inBubble(t, func(c net.Conn, n *Node) {
			begun := time.Now()
			many := strings.Repeat(chunk, 1000)
			for {
				c.SetWriteDeadline(time.Now().Add(time.Hour))
				if _, err := io.WriteString(c, many); err != nil {
					break
				}
				if n.posted.Load() > 1e6 {
					t.Fatal("it is read for ever")
				}
			}
			if d := time.Since(begun); d < bodyTime || d > 3*bodyTime {
				t.Errorf("it was let go after %v", d)
			}
		})
	})
}

// A batch waits while a hub has much to hand out, as one who publishes by a single
// POST does; but not for a node that ends.
func TestBatchCalm(t *testing.T) {
	for name, end := range map[string]func(h *hub, n *Node){
		"until it is handed out": func(h *hub, _ *Node) { h.mu.Lock(); h.bytes = 0; h.mu.Unlock() },
		"until the node ends":    func(_ *hub, n *Node) { n.Drain(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var published atomic.Int32
				b := newOddBroker(t)
				b.publish = func(p *Publication, done func(*Publication, error)) {
					published.Add(1)
					b.Broker.Publish(p, done)
				}
				n := newNode(t, &Options{Open: true, Broker: b})
				h := n.hubs[0]
				h.mu.Lock()
				h.bytes = n.opts.bounds.inbox
				h.mu.Unlock()
				r := httptest.NewRequest("POST", "/channels/a", strings.NewReader("{\"data\":1}\n{\"data\":2}\n"))
				r.Header.Set("Content-Type", "application/x-ndjson")
				w := httptest.NewRecorder()
				answered := make(chan struct{})
				go func() { n.Handler().ServeHTTP(w, r); close(answered) }()
				time.Sleep(time.Minute)
				if got := published.Load(); got != 0 {
					t.Errorf("%d were published before", got)
				}
				end(h, n)
				<-answered
				list := lineAnswers(t, w.Body.String())
				if len(list) == 0 {
					t.Fatal("no answer")
				}
				for _, a := range list {
					if ending := n.ending.Load(); (a.Code == wire.CodeDraining) != ending || (a.Position == "") != ending {
						t.Errorf("%+v", a)
					}
				}
				if got := published.Load(); (got == 0) != n.ending.Load() {
					t.Errorf("%d were published", got)
				}
			})
		})
	}
}

// Whatever a batch is, each of its lines that is not blank gets one answer, unless
// one ends it.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("{\"data\":1}\n{\"data64\":\"aa==\"}\n\nx\n"))
	f.Add([]byte("{\"type\":\"text\",\"data\":\"\\ud800\"}\r\n{}"))
	n := newNode(f, nil)
	h := n.Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/channels/a", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/x-ndjson")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		lines := 0
		for line := range strings.Lines(string(body)) {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if list := lineAnswers(t, w.Body.String()); w.Code != 200 || len(list) != lines {
			t.Errorf("%d, %d answers to %q", w.Code, len(list), body)
		}
	})
}
