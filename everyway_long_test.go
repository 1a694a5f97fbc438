package longwire_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// TestDay is seven hours of a session: streams reach their lifetime and are resumed,
// and nothing is lost or comes twice.
func TestDay(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		at := p.reply(`{"op":"subscribe","channel":"x"}`).Position
		go func() {
			for i := range 40 {
				time.Sleep(10 * time.Minute)
				r.numbers("x", i, i)
			}
		}()
		lives := 1
		for i := 0; i < 40; {
			f, ok := p.any(time.After(time.Hour))
			switch {
			case !ok:
				p.ended(wire.CodeLifetime)
				p, _ = p.again(w, at, "x")
				lives++
			case f.Op == "ping":
			case string(f.Data) != strconv.Quote(strconv.Itoa(i)):
				p.fatal("heard %v, want number %d", f, i)
			default:
				i++
				at = f.Position
			}
		}
		if w.ByToken != (lives > 1) {
			t.Errorf("%d links", lives)
		}
	})
}

// TestLargeMessages are larger than anything that is queued, for peers that read and
// for one that does not.
func TestLargeMessages(t *testing.T) {
	const most = 128 << 10
	everyWay(t, longwire.Options{Open: true, MaxMessage: most}, func(t *testing.T, r *rig, w ways.Way) {
		well, slow := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		for _, p := range []*peer{well, slow} {
			p.reply(`{"op":"subscribe","channel":"x"}`)
		}
		slow.hold()
		large := strings.Repeat("x", most-1)
		for i := range 4 {
			text := strconv.Itoa(i) + large
			well.reply(`{"op":"publish","channel":"x","type":"text","data":"%s"}`, text)
			well.message("x", `"`+text+`"`)
		}
		slow.free()
		for i := range 4 {
			slow.message("x", `"`+strconv.Itoa(i)+large+`"`)
		}
		if f := well.ask(`{"op":"publish","channel":"x","type":"text","data":"%s"}`, "xx"+large); f.Code != "too_large" {
			t.Errorf("heard %v", f)
		}
		if f := slow.reply(`{"op":"history","channel":"x"}`); len(f.Publications) != 4 {
			t.Errorf("a page of %d", len(f.Publications))
		}
		slow.silent()
	})
}

// TestSlowOverTLS is a slow consumer where HTTP/2 and TLS have queues of their own.
func TestSlowOverTLS(t *testing.T) {
	o := longwire.Options{Open: true, Broker: deep{keeps: many}}
	secureToo(t, o, func(t *testing.T, r *rig, w ways.Way) {
		if !w.Secure {
			return
		}
		const much = 1000
		slow, well := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		for _, p := range []*peer{well, slow} {
			p.reply(`{"op":"subscribe","channel":"x"}`)
		}
		slow.hold()
		r.padded("x", 0, much-1)
		well.padded("x", 0, much-1)
		slow.free()
		at := slow.padded("x", 0, much/2)
		slow.hold()
		slow.Cut()
		n, _ := slow.again(w, at, "x")
		n.padded("x", much/2+1, much-1)
		r.padded("x", much, much)
		n.padded("x", much, much)
	})
}
