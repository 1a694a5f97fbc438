package stream

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
)

// A silent stream says something at least every 15 s, for as long as it
// lives, and then ends in order; one that speaks says nothing else.
func TestHeartbeatAndLifetime(t *testing.T) {
	for _, e := range []*Encoder{SSE, NDJSON, Lines} {
		t.Run(e.Name, func(t *testing.T) {
			virtually(t, func() *Handler {
				return &Handler{Acceptor: newRoom(true), Encoders: []*Encoder{e}}
			}, func(b *bubble) {
				begin, last, pings := time.Now(), time.Now(), 0
				resp := b.do("GET", "/", "")
				buf := make([]byte, 4096)
				var end strings.Builder
				for {
					n, err := resp.Body.Read(buf)
					if string(buf[:n]) == e.Ping {
						silence := time.Since(last)
						if pings++; silence > 15*time.Second+50*time.Millisecond || silence < 14*time.Second && pings > 1 {
							b.t.Errorf("ping %d after %v", pings, silence)
						}
					} else {
						end.Write(buf[:n])
					}
					last = time.Now()
					if err == io.EOF {
						break
					}
					if err != nil {
						b.t.Fatal(err)
					}
				}
				if lived := time.Since(begin); lived < 48*time.Minute || lived > time.Hour+time.Second || pings < 48*4-3 {
					b.t.Errorf("lived %v with %d pings", lived, pings)
				}
				if e.Close != nil && !strings.Contains(end.String(), `"code":"lifetime"`) {
					b.t.Errorf("ended with %q", end.String())
				}
			})
		})
	}
}

func TestNoHeartbeatWhileSpeaking(t *testing.T) {
	var room *room
	virtually(t, func() *Handler {
		room = newRoom(true)
		return &Handler{Acceptor: room, Lifetime: -1, PingAfter: 2 * time.Second}
	}, func(b *bubble) {
		resp := b.do("GET", "/", "")
		c := <-room.opened
		got := make(chan string)
		go func() { got <- bodyOf(b.t, resp) }()
		for range 10000 {
			send(b.t, c, longwire.JSON, "1")
			time.Sleep(1800 * time.Millisecond)
		}
		c.Close("", "")
		if got := <-got; strings.Contains(got, "\n\n") {
			b.t.Errorf("a heartbeat at %d of %d", strings.Index(got, "\n\n"), len(got))
		}
		<-room.closed
	})
}

func TestNoHeartbeat(t *testing.T) {
	var room *room
	virtually(t, func() *Handler {
		room = newRoom(true)
		return &Handler{Acceptor: room, Lifetime: -1, PingAfter: -1}
	}, func(b *bubble) {
		resp := b.do("GET", "/", "")
		time.Sleep(1000 * time.Hour)
		(<-room.opened).Close("", "")
		if got := bodyOf(b.t, resp); strings.Count(got, "\n") != 1 {
			b.t.Errorf("%q", got)
		}
		<-room.closed
	})
}

// Lifetimes differ, lest all come back at once.
func TestLifetimesSpread(t *testing.T) {
	var room *room
	virtually(t, func() *Handler {
		room = newRoom(true)
		return &Handler{Acceptor: room, Lifetime: 100 * time.Second}
	}, func(b *bubble) {
		ends := map[time.Duration]bool{}
		begin := time.Now()
		for range 20 {
			b.do("GET", "/", "")
		}
		for range 20 {
			<-room.closed
			lived := time.Since(begin)
			if lived < 80*time.Second || lived > 100*time.Second+50*time.Millisecond {
				b.t.Errorf("lived %v", lived)
			}
			ends[lived.Truncate(time.Second)] = true
		}
		if len(ends) < 5 {
			b.t.Errorf("all ended within %d s", len(ends))
		}
	})
}

// A receiver that has something to say at a heartbeat says it instead.
func TestHeart(t *testing.T) {
	virtually(t, func() *Handler {
		return &Handler{Acceptor: &steered{beat: `{"op":"ping"}`}, Lifetime: 20 * time.Second}
	}, func(b *bubble) {
		if got := bodyOf(b.t, b.do("GET", "/", "")); !strings.HasPrefix(got, "{\"op\":\"ping\"}\n{\"op\":\"close\"") {
			b.t.Errorf("%q", got)
		}
		took(b.t, 9*time.Second, func() {
			if got := bodyOf(b.t, b.do("GET", "/?wait=9s", "")); got != `{"messages":[{"op":"ping"}]}`+"\n" {
				b.t.Errorf("%q", got)
			}
		})
	})
}

// A client that is gone without a word, behind net/http, is found by what it
// does not take. On a parked socket the kernel finds it, by TCP_USER_TIMEOUT.
func TestVanishedBehindNetHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := newRoom(true)
		runBubble(t, &Handler{Acceptor: room}, true, func(b *bubble) {
			resp := b.do("GET", "/", "")
			defer resp.Body.Close()
			c := <-room.opened
			(<-b.conns).Freeze()
			begin := time.Now()
			send(t, c, longwire.Text, strings.Repeat("x", 200<<10))
			cl := <-room.closed
			if took := time.Since(begin); took > 31*time.Second {
				t.Errorf("found after %v: %v", took, cl)
			}
		})
	})
}

// A node's streams say where their clients stand, each in its way, and as long as nobody
// knows that NDJSON says nothing.
func TestHeartOfFrames(t *testing.T) {
	for _, tt := range []struct{ accept, silent, want string }{
		{wantsSSE, ":\n\n", ": ping\nid: 1-2-3/" + testTail + "\n\n"},
		{wantsLines, "", "{\"op\":\"ping\",\"position\":\"1-2-3\"}\n"},
	} {
		t.Run(tt.accept, func(t *testing.T) {
			var d *desk
			virtually(t, func() *Handler {
				d = newDesk(t)
				h := d.over(true)
				h.Lifetime = -1
				return h
			}, func(b *bubble) {
				resp := b.do("GET", "/", "", tt.accept)
				f := <-d.opened
				got := make(chan string, 100)
				go func() {
					for buf := make([]byte, 4096); ; {
						n, err := resp.Body.Read(buf)
						if text := string(buf[:n]); n > 0 && (!strings.HasPrefix(text, "retry: ") || strings.Contains(text, "event: ")) {
							got <- text
						}
						if err != nil {
							close(got)
							return
						}
					}
				}()
				f.on(func() {
					f.SetTail(testTail)
					f.beat = func() bool { return false }
				})
				if tt.silent != "" {
					beats(b.t, func() { wantText(b.t, <-got, tt.silent) })
				} else {
					time.Sleep(15 * time.Second)
				}
				f.on(func() {
					f.beat = func() bool { f.send(`{"op":"ping","position":"1-2-3"}`, "1-2-3"); return true }
				})
				for range 3 {
					beats(b.t, func() { wantText(b.t, <-got, tt.want) })
				}
				f.on(func() { f.beat = func() bool { f.Close(longwire.Close{}); return false } })
				beats(b.t, func() {
					if last := <-got; !strings.Contains(last, `"code":"normal"`) {
						b.t.Errorf("last %q", last)
					}
				})
				if rest, ok := <-got; ok {
					b.t.Errorf("then %q", rest)
				}
			})
		})
	}
}

// beats is took for a heartbeat: 15 s, or up to a grain less.
func beats(t *testing.T, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if got := time.Since(begin); got < 15*time.Second-beat.MaxGrain || got > 15*time.Second+50*time.Millisecond {
		t.Errorf("took %v", got)
	}
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
