package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/wire"
)

func text(s string) Data { return Data{Type: Text, Bytes: []byte(s)} }

// publish puts a publication under way whose outcome goes into the log.
func (b *bench) publish(data, key string) {
	b.t.Helper()
	err := b.PublishFunc(b.t.Context(), "news", text(data), &PublishOptions{Key: key}, func(position string, err error) {
		b.note("%s %s%s", data, position, wire.CodeOf(err))
	})
	if err != nil {
		b.t.Error(err)
	}
}

func published(id int, data, key string) string {
	if key != "" {
		key = fmt.Sprintf(`,"key":"%s"`, key)
	}
	return fmt.Sprintf(`{"op":"publish","id":%d,"channel":"news","type":"text","data":"%s"%s}`, id, data, key)
}

// What was sent and not answered is sent again if it has a key, and unknown if it
// has none. What was not sent is.
func TestPublishAcrossACut(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.publish("a", "")
		b.publish("b", "K")
		b.publish("c", "")
		b.sent(published(2, "a", ""), published(3, "b", "K"), published(4, "c", ""))
		b.say(`{"op":"reply","id":2,"channel":"news","position":"p2"}`, `{"op":"error","id":9,"code":"forbidden","message":"","retry":-1}`)
		b.heard("a p2")
		b.way.refuse(errors.New("nobody there"))
		b.link.end(nil)
		b.heard("c outcome_unknown", "lost")
		b.publish("d", "")
		time.Sleep(time.Minute)
		b.way.refuse(nil)
		b.link = <-b.way.links
		synctest.Wait()
		b.log = nil
		b.sent(published(3, "b", "K"), published(5, "d", ""))
		b.say(`{"op":"error","id":5,"code":"forbidden","message":"no","retry":-1}`, `{"op":"reply","id":3,"channel":"news","position":"p3"}`)
		b.heard("d forbidden", "b p3")
	})
}

// After its window a key does not help: the publication may be there twice.
func TestKeyExpires(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.publish("a", "K")
		b.sent(published(2, "a", "K"))
		b.comesBack(nil)
		b.sent(published(2, "a", "K"))
		b.way.refuse(errors.New("nobody there"))
		time.Sleep(time.Minute)
		b.link.end(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		b.way.refuse(nil)
		b.link = <-b.way.links
		b.sent()
		unknown := 0
		for _, l := range b.log {
			if l == "a outcome_unknown" {
				unknown++
			}
		}
		if unknown != 1 {
			t.Errorf("%d times unknown: %q", unknown, b.log)
		}
	})
}

// A call is never sent twice; reading history is.
func TestCallAndHistoryAcrossACut(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		called, read := make(chan error, 1), make(chan string, 1)
		go func() {
			_, err := b.Call(b.t.Context(), "add", Data{Type: JSON, Bytes: []byte("[1, 2]")})
			called <- err
		}()
		b.sent(`{"op":"call","id":2,"method":"add","data":[1,2]}`)
		go func() {
			var got strings.Builder
			for m, err := range b.History(b.t.Context(), "news", nil) {
				if err != nil {
					got.WriteString(err.Error())
					continue
				}
				fmt.Fprintf(&got, "%s=%s ", m.Position, m.Data.Bytes)
			}
			read <- got.String()
		}()
		b.sent(`{"op":"history","id":3,"channel":"news","since":"all","limit":1000}`)
		b.comesBack(nil)
		if err := <-called; wire.CodeOf(err) != wire.CodeOutcomeUnknown {
			t.Error(err)
		}
		b.sent(`{"op":"history","id":3,"channel":"news","since":"all","limit":1000}`)
		b.say(`{"op":"reply","id":3,"channel":"news","publications":[{"channel":"news","position":"p1","type":"text","data":"x","time":"2026-11-22T12:00:00.000Z"}],"position":"p1"}`)
		b.sent(`{"op":"history","id":5,"channel":"news","since":"p1","limit":1000}`)
		b.say(`{"op":"reply","id":5,"channel":"news","publications":[],"position":"p1","gap":true}`)
		if got := <-read; got != "p1=x client: publications of news are missing: what was asked for is not within its history" {
			t.Errorf("%q", got)
		}
	})
}

func TestCallReply(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		for reply, want := range map[string]string{
			`"data":{"a":1.0}`:              `json {"a":1.0}`,
			`"type":"text","data":"\u0041"`: `text A`,
			`"data64":"/w=="`:               "binary \xff",
		} {
			answer := make(chan string)
			go func() {
				d, err := b.Call(b.t.Context(), "m", text("x"))
				if err != nil {
					t.Error(err)
				}
				answer <- fmt.Sprintf("%v %s", d.Type, d.Bytes)
			}()
			synctest.Wait()
			<-b.link.up
			b.say(fmt.Sprintf(`{"op":"reply","id":%d,%s}`, b.reqs.lastID, reply))
			if got := <-answer; got != want {
				t.Errorf("%s: %q, want %q", reply, got, want)
			}
		}
	})
}

// Whoever wants to have more under way than there is room for waits.
func TestWindow(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.way.refuse(errors.New("nobody there"))
		b.link.end(nil)
		synctest.Wait()
		for range maxRequests {
			b.publish("a", "")
		}
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if _, err := b.Publish(ctx, "news", text("b"), nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		waited := make(chan error, 1)
		go func() {
			_, err := b.Publish(b.t.Context(), "news", text("b"), nil)
			waited <- err
		}()
		synctest.Wait()
		b.way.refuse(nil)
		b.link = <-b.way.links
		synctest.Wait()
		var first struct{ ID uint64 }
		if err := json.Unmarshal([]byte(<-b.link.up), &first); err != nil {
			t.Fatal(err)
		}
		b.say(fmt.Sprintf(`{"op":"reply","id":%d,"channel":"news","position":"p1"}`, first.ID))
		b.say(fmt.Sprintf(`{"op":"reply","id":%d,"channel":"news","position":"p9"}`, b.reqs.lastID))
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if n := len(b.reqs.sent); n != maxRequests-1 {
			t.Errorf("%d are under way", n)
		}
	})
}

// A caller that leaves takes back what was not sent; of the rest nobody knows.
func TestCallerLeaves(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		_, err := b.Publish(ctx, "news", text("a"), nil)
		if wire.CodeOf(err) != wire.CodeOutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sent: %v", err)
		}
		b.sent(published(2, "a", ""))
		b.way.refuse(errors.New("nobody there"))
		b.link.end(nil)
		synctest.Wait()
		ctx, cancel = context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		_, err = b.Publish(ctx, "news", text("b"), nil)
		if wire.CodeOf(err) == wire.CodeOutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("not sent: %v", err)
		}
		b.way.refuse(nil)
		b.link = <-b.way.links
		b.sent()
		if b.reqs.bytes != 0 || len(b.reqs.sent) > 0 {
			t.Errorf("%d bytes are still under way", b.reqs.bytes)
		}
	})
}

// Close says goodbye and ends what is under way.
func TestClose(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.publish("a", "K")
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := b.Subscribe(b.t.Context(), "news", nil); !errors.Is(err, ErrClosed) {
				t.Errorf("subscribe: %v", err)
			}
		})
		synctest.Wait()
		b.Close()
		wg.Wait()
		b.heard("a outcome_unknown")
		b.sent(published(2, "a", "K"), `{"op":"subscribe","id":3,"channel":"news"}`, "bye")
		if err := b.PublishFunc(b.t.Context(), "news", text("b"), nil, nil); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		b.Close() // again
	})
}

// What the server would refuse is not sent.
func TestRefusedHere(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		for _, tt := range []struct {
			name, channel string
			data          Data
			want          wire.Code
		}{
			{"channel", "a b", text("x"), wire.CodeBadChannel},
			{"pattern", "a.*", text("x"), wire.CodeBadChannel},
			{"JSON", "a", Data{Type: JSON, Bytes: []byte("{")}, wire.CodeBadRequest},
			{"text", "a", text("\xff"), wire.CodeBadUTF8},
			{"size", "a", Data{Bytes: make([]byte, 1<<20+1)}, wire.CodeTooLarge},
			{"content type", "a", Data{ContentType: "x"}, wire.CodeBadFrame},
		} {
			if _, err := b.Publish(b.t.Context(), tt.channel, tt.data, nil); wire.CodeOf(err) != tt.want {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
			}
		}
		if _, err := b.Subscribe(b.t.Context(), "a..b", nil); wire.CodeOf(err) != wire.CodeBadChannel {
			t.Errorf("subscribe: %v", err)
		}
		b.subscribe("news", "")
		if _, err := b.Subscribe(b.t.Context(), "news", nil); wire.CodeOf(err) != wire.CodeAlreadySubscribed {
			t.Errorf("twice: %v", err)
		}
		b.sent()
	})
}

// The client stays below the server's rate, also when it has much to send.
func TestPace(t *testing.T) {
	onBench(t, WebSocket, func(b *bench) {
		b.mu.Lock()
		b.pace.set(100)
		b.mu.Unlock()
		begin := time.Now()
		for range 1000 {
			b.publish("a", "")
		}
		n, first := 0, 0
		for ; n < 1000; n++ {
			<-b.link.up
			if time.Since(begin) == 0 {
				first++
			}
		}
		if took := time.Since(begin); took < 10*time.Second || took > 11*time.Second || first > 50 {
			t.Errorf("1000 frames in %v, %d of them at once; 100 per second are allowed", took, first)
		}
		b.link.end(nil)
		<-b.way.links
	})
}

func TestGuess(t *testing.T) {
	for in, want := range map[string]Type{
		"": Text, "hi": Text, "1": Text, `"x"`: Text, "{": Text, " {\"a\":1}\n": JSON, "[]": JSON, "\xff": Binary, "{\"a\":\"\xff\"}": Binary,
	} {
		if got := Guess([]byte(in)); got.Type != want {
			t.Errorf("%q is %v, want %v", in, got.Type, want)
		}
	}
}
