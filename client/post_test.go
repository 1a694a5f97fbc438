package client

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/wire"
)

// onHTTP runs a test in virtual time, with a way over HTTP to a handler.
func onHTTP(t *testing.T, h http.HandlerFunc, f func(t *testing.T, w *httpWay)) {
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen("127.0.0.1:8080")
		srv := &http.Server{Handler: h}
		var wg sync.WaitGroup
		wg.Go(func() { srv.Serve(ln) })
		a, err := parseAddress("", Poll)
		if err != nil {
			t.Fatal(err)
		}
		w := newHTTPWay(a, nil)
		w.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return ln.Dial(ctx) }
		f(t, &w)
		w.close()
		srv.Close()
		wg.Wait()
	})
}

func frames(f ...string) (list [][]byte) {
	for _, s := range f {
		list = append(list, []byte(s))
	}
	return list
}

// A POST whose answer was lost is sent again under the same number, and one for
// which there was no room as well. Numbers go on behind what was taken over.
func TestPostAgain(t *testing.T) {
	var heard []string
	answers := []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(202) },
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) {
			wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeRateLimited, Retry: 3 * time.Second})
		},
		func(w http.ResponseWriter) { w.WriteHeader(502) },
		func(w http.ResponseWriter) { w.WriteHeader(202) },
		func(w http.ResponseWriter) { w.WriteHeader(202) },
	}
	onHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard = append(heard, fmt.Sprintf("%s %s %s %s %q", r.URL.Path, r.Header.Get("Longwire-Secret"), r.Header.Get("Longwire-Seq"), r.Header.Get("Content-Type"), body))
		if _, ok := r.Header["Idempotency-Key"]; ok {
			t.Error("the header for net/http is sent")
		}
		answers[len(heard)-1](w)
	}, func(t *testing.T, w *httpWay) {
		w.posts.begin("S")
		u := &upstream{way: w, secret: "X", life: t.Context()}
		for _, body := range [][][]byte{frames("a", "b"), frames("c"), nil, frames("d")} {
			if err := u.send(body); err != nil {
				t.Error(err)
			}
		}
		want := []string{`1 application/x-ndjson "a\nb\n"`, `3 application/x-ndjson "c\n"`, `3 application/x-ndjson "c\n"`,
			`3 application/x-ndjson "c\n"`, `3 application/x-ndjson "c\n"`, `4 application/x-ndjson "d\n"`}
		for i := range want {
			want[i] = "/connect/S X " + want[i]
		}
		if !slices.Equal(heard, want) {
			t.Errorf("heard\n%s", strings.Join(heard, "\n"))
		}
		if err := w.posts.mayResume("S"); err != nil {
			t.Error(err)
		}
		if w.posts.begin("S"); w.posts.next != 5 {
			t.Error("the same session counts anew")
		}
		if w.posts.begin("T"); w.posts.next != 1 {
			t.Error("another session does not count anew")
		}
	})
}

// After a POST of which nobody knows whether it was taken over the session is not
// resumed.
func TestPostGivenUp(t *testing.T) {
	n := 0
	onHTTP(t, func(http.ResponseWriter, *http.Request) {
		n++
		panic(http.ErrAbortHandler)
	}, func(t *testing.T, w *httpWay) {
		w.posts.begin("S")
		u := &upstream{way: w, secret: "X", life: t.Context()}
		if err := u.send(frames("a")); err == nil || wire.CodeOf(err) != wire.CodeInternal {
			t.Error(err)
		}
		if n < postTries || n > 2*postTries { // net/http tries again by itself, too
			t.Errorf("tried %d times", n)
		}
		if err := w.posts.mayResume("S"); wire.CodeOf(err) != wire.CodeSessionMoved {
			t.Error(err)
		}
		if err := w.posts.mayResume("T"); err != nil {
			t.Error(err)
		}
	})
}

// A refusal is not tried again, and says that nothing was taken over.
func TestPostRefused(t *testing.T) {
	n := 0
	onHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		n++
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeSessionMoved})
	}, func(t *testing.T, w *httpWay) {
		w.posts.begin("S")
		u := &upstream{way: w, secret: "X", life: t.Context()}
		if err := u.send(frames("a")); wire.CodeOf(err) != wire.CodeSessionMoved || n != 1 {
			t.Errorf("%v, tried %d times", err, n)
		}
		if err := w.posts.mayResume("S"); err != nil {
			t.Error(err)
		}
	})
}

// An answer is acknowledged once all of it was processed, an empty one is a
// heartbeat, and the last says why.
func TestPoll(t *testing.T) {
	var asked []string
	onHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Longwire-Secret")+string(body))
		switch len(asked) {
		case 1:
			w.WriteHeader(201)
			io.WriteString(w, `{"answer":1,"messages":[{"op":"connected","id":7,"session":"S","secret":"X"}],"position":"p0"}`)
		case 2:
			time.Sleep(25 * time.Second)
			io.WriteString(w, `{"answer":1,"messages":[],"position":"p1"}`)
		case 3:
			io.WriteString(w, `{"answer":2,"messages":[{"op":"pong","id":1},{"op":"pong","id":2}],"position":"p2"}`)
		case 4:
			io.WriteString(w, `{"answer":3,"messages":[{"op":"pong","id":3}],"close":{"code":"draining","reason":"x","retry":5}}`)
		}
	}, func(t *testing.T, w *httpWay) {
		l, err := (&pollWay{*w}).open(t.Context(), &greeting{frame: []byte("hello")})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`{"op":"connected","id":7,"session":"S","secret":"X"}`, `{"op":"ping","position":"p1"}`,
			`{"op":"pong","id":1}`, `{"op":"pong","id":2}`, `{"op":"pong","id":3}`,
		} {
			if p, err := l.receive(); err != nil || string(p) != want {
				t.Fatalf("%s, %v; want %s", p, err, want)
			}
		}
		if _, err := l.receive(); wire.CodeOf(err) != wire.CodeDraining {
			t.Error(err)
		}
		l.close()
		if got, want := strings.Join(asked, "\n"), `POST /connect hello

GET /connect/S?wait=25s&ack=1 X
GET /connect/S?wait=25s&ack=1 X
GET /connect/S?wait=25s&ack=2 X`; got != want {
			t.Errorf("asked\n%s", got)
		}
	})
}

// A poll that is not answered at all ends the link.
func TestPollIdle(t *testing.T) {
	onHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(201)
			io.WriteString(w, `{"answer":1,"messages":[{"op":"connected","session":"S","secret":"X"}]}`)
			return
		}
		<-r.Context().Done()
	}, func(t *testing.T, w *httpWay) {
		l, err := (&pollWay{*w}).open(t.Context(), &greeting{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.receive(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := l.receive(); wire.CodeOf(err) != wire.CodeIdleTimeout || time.Since(begin) != 35*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		l.close()
	})
}
