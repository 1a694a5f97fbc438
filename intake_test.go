package longwire

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/wire"
)

// deadlines is a ResponseWriter that notes until when the body may come.
type deadlines struct {
	*httptest.ResponseRecorder
	set chan time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.set <- t; return nil }

// A stuck body fails when it is told to, as a connection of which nothing comes does.
type stuck struct{ fails chan error }

func (s stuck) Read([]byte) (int, error) { return 0, <-s.fails }
func (s stuck) Close() error             { return nil }

// A body has an end in time: soon where it is not read, and when the node ends.
func TestIntake(t *testing.T) {
	serve := func(t *testing.T, body io.Reader, header ...string) (w *deadlines, n *Node, answered chan struct{}) {
		n = newNode(t, nil)
		w = &deadlines{httptest.NewRecorder(), make(chan time.Time, 10)}
		r := httptest.NewRequest("POST", "/channels/a", body)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answered = make(chan struct{})
		go func() { n.Handler().ServeHTTP(w, r); close(answered) }()
		return w, n, answered
	}
	inBubble := func(name string, f func(t *testing.T, want func(w *deadlines, after ...time.Duration))) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f(t, func(w *deadlines, after ...time.Duration) {
					t.Helper()
					for _, d := range after {
						at := <-w.set
						if d == 0 != at.IsZero() || d > 0 && time.Until(at) != d {
							t.Errorf("a deadline %v from now, want %v", time.Until(at), d)
						}
					}
					if len(w.set) > 0 {
						t.Errorf("and another: %v", <-w.set)
					}
				})
			})
		})
	}
	inBubble("read", func(t *testing.T, want func(*deadlines, ...time.Duration)) {
		w, n, answered := serve(t, strings.NewReader("x"))
		<-answered
		want(w, bodyTime, 0)
		n.Drain(context.Background())
		synctest.Wait()
		want(w)
	})
	inBubble("refused unread", func(t *testing.T, want func(*deadlines, ...time.Duration)) {
		w, n, answered := serve(t, strings.NewReader("x"), "Origin", evilPage)
		<-answered
		want(w, bodyTime, intakeGrace)
		n.Drain(context.Background())
		synctest.Wait()
		want(w)
	})
	inBubble("half sent", func(t *testing.T, want func(*deadlines, ...time.Duration)) {
		body := stuck{make(chan error)}
		w, n, answered := serve(t, body)
		synctest.Wait()
		want(w, bodyTime)
		n.Drain(context.Background())
		synctest.Wait()
		want(w, intakeGrace)
		body.fails <- os.ErrDeadlineExceeded
		<-answered
		if !strings.Contains(w.Body.String(), string(wire.CodeDraining)) || w.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
