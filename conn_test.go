package longwire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// A stub is a link whose moods the test chooses. Its fields belong to its loop.
type stub struct {
	loop   *loop.Loop
	form   *Form
	recv   Receiver
	full   bool
	paused bool
	sent   []string
	closed *Close
	onSend func()
}

func (s *stub) Loop() *loop.Loop { return s.loop }
func (s *stub) Form() *Form      { return s.form }
func (s *stub) Info() *LinkInfo  { return &LinkInfo{Transport: "stub"} }
func (s *stub) Pause(on bool)    { s.paused = on }
func (s *stub) Close(c Close)    { s.closed = &c }

func (s *stub) Send(m *Message) (int, error) { return s.SendFramed(m.Frame(s.form), false) }

func (s *stub) SendFramed(b []byte, last bool) (int, error) {
	switch {
	case s.closed != nil:
		return 0, ErrClosed
	case s.full && !last:
		return 0, ErrFull
	}
	s.sent = append(s.sent, string(b))
	if s.onSend != nil {
		s.onSend()
	}
	return 0, nil
}

// bars frames a message between bars.
var bars = &Form{Name: "bars", Append: func(dst []byte, _ Kind, p []byte) []byte {
	return append(append(append(dst, '<'), p...), '>')
}}

// stubbed opens a link of p's in a bubble and calls f with it. What f calls
// through on runs on the loop.
func stubbed(t *testing.T, p *Plain, f func(t *testing.T, s *stub, c *Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p.Log = slog.New(slog.DiscardHandler)
		g, err := loop.New(&loop.Options{Loops: 1, Poller: loop.Goroutines})
		if err != nil {
			t.Fatal(err)
		}
		s := &stub{loop: g.Loops()[0], form: bars}
		s.on(func() {
			if s.recv, err = p.Accept(time.Now(), s); err != nil {
				s.recv = nil
			}
		})
		var c *Conn
		if s.recv != nil {
			c = (*Conn)(s.recv.(*plainReceiver))
		}
		f(t, s, c)
		synctest.Wait()
		s.on(func() {
			if s.recv != nil {
				s.recv.Closed(time.Now(), errors.New("the test is over"))
			}
		})
		g.Close(context.Background())
	})
}

func (s *stub) on(f func()) {
	done := make(chan struct{})
	s.loop.Post(func(time.Time) { f(); close(done) })
	<-done
}

func (s *stub) hear(n int, p string) {
	for range n {
		s.recv.Receive(time.Now(), Binary, []byte(p))
	}
}

func (s *stub) drained() {
	s.full = false
	s.recv.Drained(time.Now())
}

// What was sent before Close leaves before it, also when the loop hears of the
// closing from a peer that is to be held back, before it comes to the task.
func TestCloseKeepsWhatWasSent(t *testing.T) {
	hold := make(chan struct{})
	stubbed(t, &Plain{Message: func(*Conn, Kind, []byte) { <-hold }}, func(t *testing.T, s *stub, c *Conn) {
		long := strings.Repeat("x", ownFrom)
		s.on(func() {
			s.hear(1, "held")
			s.hear(maxMessages-1, "wait")
			sent := make(chan error)
			go func() {
				err := c.Send(Binary, []byte(long))
				c.Close(wire.CodeNormal, "")
				sent <- err
			}()
			if err := <-sent; err != nil {
				t.Error(err)
			}
			s.hear(2, "one too many")
		})
		close(hold)
		synctest.Wait()
		s.on(func() {
			if want := []string{"<" + long + ">"}; !slices.Equal(s.sent, want) {
				t.Errorf("%d messages were sent, want the one before Close", len(s.sent))
			}
			if s.closed == nil {
				t.Error("the link was not closed")
			}
		})
	})
}

func TestEmptyMessagesAreBounded(t *testing.T) {
	stubbed(t, &Plain{}, func(t *testing.T, s *stub, c *Conn) {
		s.on(func() { s.full = true })
		empty := NewMessage(Text, nil)
		taken := 0
		for ; taken < 1_000_000; taken++ {
			if err := c.SendMessage(empty); err != nil {
				break
			}
		}
		if taken > maxTransit {
			t.Fatalf("%d empty messages wait for a link that is full", taken)
		}
		s.on(func() { s.drained() })
		synctest.Wait()
		s.on(func() {
			if got := strings.Count(strings.Join(s.sent, ""), "<>"); got != taken {
				t.Errorf("%d messages were sent of %d that were taken", got, taken)
			}
		})
	})
}

// A queue that is never quite empty does not grow, whatever goes through it.
func TestIncomingQueueStaysSmall(t *testing.T) {
	for _, size := range []int{0, 1, 5000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			q := new(inq)
			p := make([]byte, size)
			for i := range 100_000 {
				if size > 0 {
					p[0] = byte(i)
				}
				q.put(Binary, p)
				if i == 0 {
					continue
				}
				if _, got := q.take(); size > 0 && got[0] != byte(i-1) {
					t.Fatalf("message %d is %d", i-1, got[0])
				}
			}
			if cap(q.items) > 100 && size != 1 || cap(q.items)*size > 1<<20 || cap(q.buf) > 64<<10 {
				t.Errorf("the queue has grown to %d messages and %d bytes", cap(q.items), cap(q.buf))
			}
		})
	}
}

// The promise of Plain: one answer to each message always has room, whatever
// its size and however far the loop is behind.
func TestOneAnswerHasRoom(t *testing.T) {
	for _, size := range []int{100, 3000, 10_000, 40_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			answer := make([]byte, size)
			refused, answered := 0, 0
			p := &Plain{Message: func(c *Conn, k Kind, _ []byte) {
				answered++
				if c.Send(k, answer) != nil {
					refused++
				}
			}}
			stubbed(t, p, func(t *testing.T, s *stub, c *Conn) {
				heard := 0
				for range 20 {
					s.on(func() { s.full = true })
					s.on(func() {
						for !s.paused {
							s.hear(1, "?")
							heard++
						}
					})
					synctest.Wait()
					s.on(func() { s.drained() })
					synctest.Wait()
				}
				if refused > 0 || answered != heard {
					t.Errorf("%d messages, %d answered, %d answers refused", heard, answered, refused)
				}
			})
		})
	}
}

func TestSendWaitEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *stub, c *Conn)
		want error
	}{
		{"room", func(s *stub, _ *Conn) { s.on(s.drained) }, nil},
		{"closed here", func(_ *stub, c *Conn) { c.Close(wire.CodeNormal, "") }, ErrClosed},
		{"link gone", func(s *stub, _ *Conn) {
			s.on(func() { s.recv.Closed(time.Now(), errors.New("cut")); s.recv = nil })
		}, ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stubbed(t, &Plain{}, func(t *testing.T, s *stub, c *Conn) {
				s.on(func() { s.full = true })
				for c.Send(Binary, make([]byte, 1000)) == nil {
				}
				got := make(chan error, 3)
				for range 2 {
					go func() { got <- c.SendWait(context.Background(), Binary, []byte("x")) }()
				}
				go func() { got <- c.SendMessageWait(context.Background(), NewMessage(Binary, []byte("y"))) }()
				synctest.Wait()
				if len(got) > 0 {
					t.Fatalf("SendWait did not wait: %v", <-got)
				}
				tt.end(s, c)
				synctest.Wait()
				if len(got) < 3 {
					t.Fatalf("%d of 3 still wait", 3-len(got))
				}
				if err := <-got; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// The end of the engine takes along what waits for a link that is full.
func TestLeaveKeepsWhatWasSent(t *testing.T) {
	stubbed(t, &Plain{}, func(t *testing.T, s *stub, c *Conn) {
		s.on(func() { s.full = true })
		for _, m := range []string{"a", "b", "c"} {
			if err := c.Send(Binary, []byte(m)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		s.on(func() {
			s.recv.(leaver).Leave(time.Now())
			if got := strings.Join(s.sent, ""); got != "<a><b><c>" {
				t.Errorf("sent %q", got)
			}
			if s.closed == nil || s.closed.Code != wire.CodeGoingAway {
				t.Errorf("closed with %v", s.closed)
			}
		})
		if err := c.Send(Binary, []byte("late")); !errors.Is(err, ErrClosed) {
			t.Errorf("Send: %v, want ErrClosed", err)
		}
	})
}

func TestSendWaitEndsWithItsContext(t *testing.T) {
	stubbed(t, &Plain{}, func(t *testing.T, s *stub, c *Conn) {
		s.on(func() { s.full = true })
		for c.Send(Binary, make([]byte, 1000)) == nil {
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.SendWait(ctx, Binary, []byte("late")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		s.on(s.drained)
		synctest.Wait()
		s.on(func() {
			if strings.Contains(strings.Join(s.sent, ""), "late") {
				t.Error("a message was sent after its SendWait had given up")
			}
		})
	})
}

// A goroutine that got hold of a Conn in Open waits for room; then Open refuses.
func TestSendWaitEndsWhenOpenRefuses(t *testing.T) {
	got := make(chan error, 1)
	p := &Plain{OnLoop: true, Open: func(c *Conn) error {
		for c.Send(Binary, make([]byte, 1000)) == nil {
		}
		waits := make(chan struct{})
		go func() { close(waits); got <- c.SendWait(context.Background(), Binary, []byte("x")) }()
		<-waits
		time.Sleep(time.Second) // until it waits for good
		return errors.New("not you")
	}}
	stubbed(t, p, func(t *testing.T, s *stub, _ *Conn) {
		if s.recv != nil {
			t.Fatal("the link was taken")
		}
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFramingThatPanics(t *testing.T) {
	stubbed(t, &Plain{Message: func(c *Conn, k Kind, p []byte) { c.Send(k, p) }}, func(t *testing.T, s *stub, c *Conn) {
		s.on(func() {
			s.form = &Form{Append: func([]byte, Kind, []byte) []byte { panic("cannot frame that") }}
			s.hear(1, "x")
		})
		synctest.Wait()
		s.on(func() {
			if s.closed == nil || s.closed.Code != wire.CodeHandlerPanic {
				t.Errorf("closed with %v", s.closed)
			}
		})
		if err := c.Send(Binary, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Send: %v", err)
		}
	})
}

// One who sends faster than the loop takes does not have the loop for himself.
func TestBusySenderSharesTheLoop(t *testing.T) {
	stubbed(t, &Plain{}, func(t *testing.T, s *stub, c *Conn) {
		before, other := 0, false
		s.on(func() {
			s.loop.Post(func(time.Time) { c.Send(Binary, []byte("x")) })
			s.onSend = func() {
				if before++; before < 100 && !other {
					c.Send(Binary, []byte("x"))
				}
			}
			s.loop.Post(func(time.Time) { s.loop.Post(func(time.Time) { other = true }) })
		})
		synctest.Wait()
		s.on(func() {
			if !other || before > 5 {
				t.Errorf("%d messages were handed over before another task got its turn", before)
			}
		})
	})
}

// Once a handler has closed its connection it hears no more messages, on the
// loop or not.
func TestNoMessageAfterClose(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("OnLoop=%v", onLoop), func(t *testing.T) {
			messages := 0
			p := &Plain{OnLoop: onLoop, Message: func(c *Conn, _ Kind, _ []byte) {
				messages++
				c.Close(wire.CodeNormal, "")
			}}
			stubbed(t, p, func(t *testing.T, s *stub, _ *Conn) {
				s.on(func() { s.hear(5, "x") })
				synctest.Wait()
				if messages != 1 {
					t.Errorf("Message was called %d times, want once", messages)
				}
			})
		})
	}
}

func TestCloseOf(t *testing.T) {
	own := &Close{Code: wire.CodeDraining}
	for _, tt := range []struct {
		name string
		err  error
		want Close
	}{
		{"a Close", fmt.Errorf("wrapped: %w", own), *own},
		{"a wire.Error", &wire.Error{Code: wire.CodeOverloaded, Message: "later", Retry: time.Second},
			Close{Code: wire.CodeOverloaded, Reason: "later", Retry: time.Second}},
		{"the engine's end", loop.ErrShutdown, Close{Code: wire.CodeGoingAway}},
		{"anything", errors.New("x"), Close{Code: wire.CodeLost}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := *CloseOf(tt.err, wire.CodeLost)
			got.Err = nil
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
