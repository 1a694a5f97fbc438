package longwire_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// posters are the ways whose frames are posted.
func posters(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, w ways.Way, p *peer)) {
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		if w.Posts {
			body(t, r, w, r.dial(w, ways.Options{}))
		}
	})
}

// post posts frames with a number, zero for none, and returns the code of the refusal.
func (p *peer) post(seq uint64, frames ...string) wire.Code {
	return wire.CodeOf(p.r.Post(p.r.http, p.session, p.secret, seq, strings.Join(frames, "\n")))
}

// calls are frames that are answered with their ids, from one number to another.
func calls(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf(`{"op":"ping","id":%d}`, i))
	}
	return list
}

// answers wants the answers to calls, in order.
func (p *peer) answers(from, to int) {
	p.t.Helper()
	for i := from; i <= to; i++ {
		if f := p.want("pong"); f.ID != uint64(i) {
			p.fatal("heard %v, want the answer to %d", f, i)
		}
	}
}

func TestPostsRepeated(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		for _, seq := range []uint64{1, 1, 1} {
			if code := p.post(seq, calls(1, 2)...); code != "" {
				t.Errorf("refused as %s", code)
			}
		}
		p.post(2, calls(2, 5)...) // the first of them was taken up
		p.post(4, calls(4, 4)...)
		p.post(5, calls(5, 6)...)
		p.answers(1, 6)
		p.silent()
	})
}

func TestPostsOutOfOrder(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		var wg sync.WaitGroup
		for _, seq := range []int{7, 3, 5, 1} {
			time.Sleep(time.Second)
			wg.Go(func() {
				if code := p.post(uint64(seq), calls(seq, seq+1)...); code != "" {
					t.Errorf("number %d was refused as %s", seq, code)
				}
			})
		}
		wg.Wait()
		p.answers(1, 8)
		p.silent()
	})
}

func TestPostsMissing(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		begun := time.Now()
		if code := p.post(3, calls(3, 4)...); code != wire.CodeOutOfOrder {
			t.Errorf("answered %q, want out_of_order", code)
		}
		if d := time.Since(begun); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("answered after %v", d)
		}
		p.post(1, calls(1, 2)...)
		p.answers(1, 2)
		p.silent() // what was refused was not taken up
		p.post(3, calls(3, 4)...)
		p.answers(3, 4)
	})
}

func TestPostsTooFarAhead(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		var wg sync.WaitGroup
		for i := range wire.MaxQueuedIn {
			wg.Go(func() {
				if code := p.post(uint64(2+i), calls(2+i, 2+i)...); code != "" {
					t.Errorf("number %d was refused as %s", 2+i, code)
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		if code := p.post(100, calls(100, 100)...); code != wire.CodeOutOfOrder || time.Since(begun) > time.Second {
			t.Errorf("one more was answered %q after %v", code, time.Since(begun))
		}
		p.post(1, calls(1, 1)...)
		wg.Wait()
		p.answers(1, 1+wire.MaxQueuedIn)
		// And bytes, if there are several bodies.
		big := strings.Repeat(" ", wire.MaxQueuedInBytes)
		wg.Go(func() { p.post(19, big, calls(19, 19)[0]) })
		synctest.Wait()
		if code := p.post(20, calls(20, 20)...); code != wire.CodeOutOfOrder {
			t.Errorf("beyond the bytes: %q", code)
		}
		p.post(18, calls(18, 18)...)
		wg.Wait()
		p.answers(18, 19)
		p.silent()
	})
}

// TestPostsWithoutNumber are next, whatever their number would be.
func TestPostsWithoutNumber(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		p.post(0, calls(1, 2)...)
		p.post(3, "", calls(3, 3)[0], " \t", "\r", calls(4, 4)[0]+"\r") // empty lines are no frames
		p.post(5, "")
		p.post(0, calls(5, 5)...)
		p.post(6, calls(6, 6)...)
		p.answers(1, 6)
		for _, seq := range []string{"0", "-1", "x", "1.5", "9007199254740992", "18446744073709551617", ""} {
			a := r.do("POST", "/connect/"+p.session, calls(7, 7)[0], "Longwire-Secret", p.secret, "Longwire-Seq", seq)
			if a.status != 400 || !strings.Contains(a.body, `"bad_request"`) {
				t.Errorf("Longwire-Seq: %s was answered %+v", seq, a)
			}
		}
		p.silent()
	})
}

func TestPostsOfOthers(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		other := r.dial(w, ways.Options{})
		const nobody = "AAAAAAAAAAAAAAAAAAAAAA"
		for _, tt := range []struct {
			session, secret string
			status          int
			code            wire.Code
		}{
			{p.session, other.secret, 403, wire.CodeForbidden}, {p.session, "", 403, wire.CodeForbidden}, {p.session, nobody, 403, wire.CodeForbidden},
			{nobody, p.secret, 410, wire.CodeSessionMoved}, {"nonsense", p.secret, 404, wire.CodeNotFound}, {p.session + "x", p.secret, 404, wire.CodeNotFound},
		} {
			for _, method := range []string{"POST", "GET"} {
				a := r.do(method, "/connect/"+tt.session, "", "Longwire-Secret", tt.secret)
				if a.status != tt.status || !strings.Contains(a.body, strconv.Quote(string(tt.code))) || !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
					t.Errorf("%s /connect/%s with %s: %+v, want %d %s", method, tt.session, tt.secret, a, tt.status, tt.code)
				}
			}
		}
		if a := r.do("PUT", "/connect/"+p.session, "", "Longwire-Secret", p.secret); a.status != 405 || a.header.Get("Allow") != "GET, HEAD, POST, OPTIONS" {
			t.Errorf("PUT: %+v", a)
		}
		p.silent()
		other.silent()
	})
}

// TestPostsOfGarbage has each line answered down the stream.
func TestPostsOfGarbage(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		lines := []string{"x", `{"op":"ping","id":1}`, "{", `[1]`, `{"op":"dance","id":2}`, "\x00", `{"op":"ping","id":3}`, `"`}
		if code := p.post(1, lines...); code != "" {
			t.Errorf("refused as %s", code)
		}
		var got []string
		for range lines {
			f := p.next()
			got = append(got, f.Op+f.Code+fmt.Sprint(f.ID))
		}
		want := "errorbad_frame0 pong1 errorbad_frame0 errorbad_frame0 errorunknown_op2 errorbad_frame0 pong3 errorbad_frame0"
		if s := strings.Join(got, " "); s != want {
			t.Errorf("heard %s, want %s", s, want)
		}
		p.post(9, calls(9, 9)...)
		p.answers(9, 9)
	})
}

// TestLargePosts is bodies about as large as they may be.
func TestLargePosts(t *testing.T) {
	o := longwire.Options{Open: true, MaxMessage: 64 << 10, Rate: -1}
	posters(t, o, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		most := wire.MaxFrame(64 << 10)
		if code := p.post(1, strings.Repeat(" ", most)); code != wire.CodeTooLarge {
			t.Errorf("a body over the limit was answered %q", code)
		}
		list := calls(1, 2000) // more than the loop does at once
		if code := p.post(1, list...); code != "" {
			t.Errorf("refused as %s", code)
		}
		p.answers(1, 2000)
		p.reply(`{"op":"subscribe","channel":"x"}`)
		text := strings.Repeat("x", 64<<10)
		p.reply(`{"op":"publish","channel":"x","type":"text","data":"%s"}`, text)
		p.message("x", `"`+text+`"`)
	})
}

// TestPostsGoOn number their frames on by another link, and wait while there is none.
func TestPostsGoOn(t *testing.T) {
	posters(t, openToAll, func(t *testing.T, r *rig, w ways.Way, p *peer) {
		p.post(1, calls(1, 3)...)
		p.answers(1, 3)
		p.Cut()
		time.Sleep(noticed(w))
		for i := 4; i < 4+wire.MaxQueuedIn; i++ {
			if code := p.post(uint64(i), calls(i, i)...); code != "" {
				t.Fatalf("number %d was refused as %s", i, code)
			}
		}
		a := r.do("POST", "/connect/"+p.session, calls(20, 20)[0], "Longwire-Secret", p.secret, "Longwire-Seq", "20")
		if a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("too much was answered %+v", a)
		}
		n, _ := p.again(w, "", "x")
		n.answers(4, 19)
		n.post(19, calls(19, 21)...)
		n.answers(20, 21)
		n.silent()
	})
}
