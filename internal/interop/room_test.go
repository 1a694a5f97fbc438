package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/server"
)

// A room is the server that the longwire command runs, with ports of its own.
type room struct {
	*server.Server
	t    testing.TB
	cert string        // the file with its certificate, with TLS
	stop func()        // ends it and waits; may be called again
	http *http.Client  // our own, for what a test does beside
	log  *lockedBuffer // what it logs
}

func openRoom(t testing.TB, secure bool) *room {
	t.Helper()
	return openRoomAt(t, secure, "127.0.0.1:0")
}

func openRoomAt(t testing.TB, secure bool, addr string) *room {
	t.Helper()
	r := &room{t: t, log: &lockedBuffer{}}
	o := &server.Options{HTTP: addr, TCP: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if secure {
		o.TLSCert, o.TLSKey = certFiles(t)
		r.cert = o.TLSCert
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv, err := server.New(ctx, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	r.Server = srv
	r.http = &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }() // stop waits for it
	stopped := false
	r.stop = func() {
		cancel()
		if !stopped {
			stopped = true
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(func() {
		r.stop()
		r.http.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the server's log:\n%s", r.log)
		}
	})
	return r
}

// published is the answer to a publication.
type published struct {
	Channel, Position string
	Subscribers       int
}

// message is a frame that a reader sees.
type message struct {
	Op, Channel, Position, Type string
	Data                        json.RawMessage
	Data64                      string
}

// publish publishes a text on a channel.
func (r *room) publish(channel, text string) published {
	r.t.Helper()
	resp, err := r.http.Post(r.HTTPURL()+"/channels/"+channel, "text/plain", strings.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("publishing: %s %s %v", resp.Status, p, err)
	}
	return decode[published](r.t, string(p))
}

// publishTo publishes until so many hear it, and returns the answer to the
// first that all of them heard. There is nothing else to tell that the requests of
// others have arrived.
func (r *room) publishTo(subscribers int, channel, text string) published {
	r.t.Helper()
	for begun := time.Now(); ; {
		a := r.publish(channel, text)
		if a.Subscribers == subscribers {
			return a
		}
		if time.Since(begun) > patience {
			r.t.Fatalf("%d subscribers, want %d", a.Subscribers, subscribers)
		}
	}
}

// publishUntil publishes until hear returns. A poll hears the first thing after it
// has come, and is gone, so that nobody can count it.
func (r *room) publishUntil(channel, text string, hear func()) {
	r.t.Helper()
	heard := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for {
			r.publish(channel, text)
			select {
			case <-heard:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	defer publishing.Wait()
	defer close(heard)
	hear()
}

func decode[T any](t testing.TB, s string) (v T) {
	t.Helper()
	if err := json.Unmarshal(bytes.TrimSpace([]byte(s)), &v); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return v
}
