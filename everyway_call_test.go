package longwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

func TestCallNobodyHandles(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.refused(wire.CodeNotFound, `{"op":"call","method":"x","data":1}`)
		p.refused(wire.CodeBadFrame, `{"op":"call","data":1}`)
		p.refused(wire.CodeBadFrame, `{"op":"call","method":"","data":1}`)
		p.refused(wire.CodeBadFrame, `{"op":"call","method":"%s","data":1}`, strings.Repeat("x", 129))
		p.refused(wire.CodeBadFrame, `{"op":"call","method":"x"}`)
		p.say(`{"op":"send","method":"x","data":1}`) // nobody hears it, and that is no error
		p.refused(wire.CodeBadFrame, `{"op":"send","data":1}`)
		p.silent()
	})
}

// answering is a Call hook that does what the method says.
func answering(t *testing.T) func(*longwire.Session, *longwire.Call) {
	reply := func(c *longwire.Call, kind longwire.Kind, data string) {
		if err := c.Reply(kind, []byte(data)); err != nil {
			t.Errorf("Reply: %v", err)
		}
		if err := c.Reply(kind, []byte(data)); !errors.Is(err, longwire.ErrReplied) {
			t.Errorf("the second Reply: %v", err)
		}
		if err := c.Fail(errors.New("late")); !errors.Is(err, longwire.ErrReplied) {
			t.Errorf("Fail after Reply: %v", err)
		}
	}
	return func(s *longwire.Session, c *longwire.Call) {
		if s != c.Session() {
			t.Errorf("called by %s, and %s", s.ID(), c.Session().ID())
		}
		switch c.Method {
		case "echo":
			reply(c, c.Kind, string(c.Data))
		case "later":
			var d time.Duration
			if err := json.Unmarshal(c.Data, &d); err != nil {
				t.Error(err)
			}
			time.AfterFunc(d, func() { reply(c, longwire.JSON, string(c.Data)) })
		case "block":
			time.Sleep(2 * time.Second)
			reply(c, longwire.Text, "done")
		case "fail":
			c.Fail(wire.Errorf(wire.CodeRateLimited, "once a day"))
		case "foreign":
			c.Fail(errors.New("secret text"))
		case "nonsense":
			if err := c.Reply(longwire.JSON, []byte("{")); err == nil {
				t.Error("a reply that is no JSON was taken")
			}
			reply(c, longwire.JSON, `{"a": 1}`)
		case "panic":
			panic("secret text")
		case "panic behind":
			reply(c, longwire.JSON, "1")
			panic("secret text")
		}
	}
}

func TestCall(t *testing.T) {
	secureToo(t, longwire.Options{Handler: longwire.Handler{Call: answering(t)}}, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for _, tt := range []struct{ say, typ, data, data64 string }{
			{`"data":{"a": [1]}`, "", `{"a":[1]}`, ""},
			{`"data":null`, "", `null`, ""},
			{`"type":"text","data":"hi\n"`, "text", `"hi\n"`, ""},
			{`"data64":"AAH/"`, "", "", "\x00\x01\xff"},
		} {
			f := p.reply(`{"op":"call","method":"echo",%s}`, tt.say)
			if f.Type != tt.typ || string(f.Data) != tt.data || string(f.Data64) != tt.data64 {
				t.Errorf("%s was answered %v", tt.say, f)
			}
		}
		if f := p.ask(`{"op":"call","method":"fail","data":1}`); f.Code != "rate_limited" || f.Message != "once a day" {
			t.Errorf("heard %v", f)
		}
		if f := p.ask(`{"op":"call","method":"foreign","data":1}`); f.Code != "internal" || strings.Contains(f.raw, "secret") {
			t.Errorf("heard %v", f)
		}
		if f := p.reply(`{"op":"call","method":"nonsense","data":1}`); string(f.Data) != `{"a":1}` {
			t.Errorf("heard %v", f)
		}
		if f := p.ask(`{"op":"call","method":"panic","data":1}`); f.Code != "handler_panic" || strings.Contains(f.raw, "secret") {
			t.Errorf("heard %v", f)
		}
		p.reply(`{"op":"call","method":"panic behind","data":1}`)
		p.reply(`{"op":"call","method":"echo","data":1}`)
		p.say(`{"op":"call","method":"echo","data":"without id"}`)
		if f := p.want("reply"); f.ID != 0 || string(f.Data) != `"without id"` {
			t.Errorf("heard %v", f)
		}
	})
}

func TestCallsOutOfOrder(t *testing.T) {
	everyWay(t, longwire.Options{Open: true, Handler: longwire.Handler{Call: answering(t)}}, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for i, d := range []time.Duration{5 * time.Second, time.Second, 3 * time.Second, time.Millisecond} {
			p.say(`{"op":"call","id":%d,"method":"later","data":%d}`, 50+i, d)
		}
		p.say(`{"op":"subscribe","id":54,"channel":"x"}`)
		var order []uint64
		for range 5 {
			order = append(order, p.want("reply").ID)
		}
		if got := fmt.Sprint(order); got != "[53 54 51 52 50]" && got != "[54 53 51 52 50]" {
			t.Errorf("answered in the order %v", got)
		}
	})
}

// TestBlockingCall holds back the frames behind it, and keeps their order.
func TestBlockingCall(t *testing.T) {
	everyWay(t, longwire.Options{Open: true, Handler: longwire.Handler{Call: answering(t)}}, func(t *testing.T, r *rig, w ways.Way) {
		p, q := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		q.reply(`{"op":"subscribe","channel":"x"}`)
		begun := time.Now()
		p.say(`{"op":"call","id":50,"method":"block","data":1}`)
		for i := range 40 { // more than wait: the rest is not read
			p.say(`{"op":"subscribe","id":%d,"channel":"x%d"}`, 51+i, i)
		}
		r.publish("x", "others go on")
		q.message("x", `"others go on"`)
		for i := range 41 {
			if f := p.want("reply"); f.ID != uint64(50+i) {
				p.fatal("heard %v, want the answer to %d", f, 50+i)
			}
		}
		if d := time.Since(begun); d < 2*time.Second || d > 3*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

// TestCallOutlivesLink answers a call whose link has died: nobody hears it, on no
// later link either.
func TestCallOutlivesLink(t *testing.T) {
	everyWay(t, longwire.Options{Open: true, Handler: longwire.Handler{Call: answering(t)}}, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.say(`{"op":"call","id":50,"method":"later","data":%d}`, 5*time.Second)
		p.say(`{"op":"call","id":51,"method":"block","data":1}`)
		p.say(`{"op":"publish","id":52,"channel":"x","data":"sent"}`)
		time.Sleep(time.Second)
		p.Cut()
		time.Sleep(time.Second / 2)
		at := r.publish("x", "meanwhile")
		n, _ := p.again(w, string(at), "x")
		// What was sent before the cut is done all the same.
		n.message("x", `"sent"`)
		n.silent()
		n.reply(`{"op":"call","method":"echo","data":1}`)
	})
}

// TestRepliesKeepOrder asks for one thing after another, without waiting.
func TestRepliesKeepOrder(t *testing.T) {
	hooked := longwire.Options{Open: true, Handler: longwire.Handler{
		Call:    answering(t),
		Publish: func(context.Context, *longwire.Session, *longwire.Publication) error { return nil },
	}}
	for _, o := range []longwire.Options{openToAll, hooked} {
		everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
			p := r.dial(w, ways.Options{})
			frames := []string{
				`"op":"publish","channel":"x","data":1`, `"op":"ping"`, `"op":"publish","channel":"y","data":1`, `"op":"dance"`,
				`"op":"history","channel":"x"`, `"op":"call","method":"echo","data":1`, `"op":"presence","channel":"x"`, `"op":"publish","channel":"x.*","data":1`,
			}
			for i := range 80 {
				p.say(`{"id":%d,%s}`, 100+i, frames[i%len(frames)])
			}
			for i := range 80 {
				if f := p.next(); f.ID != uint64(100+i) {
					p.fatal("heard %v, want the answer to %d", f, 100+i)
				}
			}
		})
	}
}

func TestSendHook(t *testing.T) {
	var mu sync.Mutex
	heard := map[string][]string{} // by session; guarded by mu
	o := longwire.Options{Open: true, Handler: longwire.Handler{Send: func(s *longwire.Session, method string, kind longwire.Kind, data []byte) {
		if method == "panic" {
			panic("secret text")
		}
		mu.Lock()
		defer mu.Unlock()
		heard[s.ID()] = append(heard[s.ID()], fmt.Sprintf("%s %v %q", method, kind, data))
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.say(`{"op":"send","method":"a","data":{"x": 1}}`)
		p.say(`{"op":"send","method":"b","type":"text","data":"hi"}`)
		p.say(`{"op":"send","method":"panic","id":50,"data":1}`)
		p.say(`{"op":"send","method":"c","data64":"AAE="}`)
		p.isRefusal(p.want("error"), wire.CodeHandlerPanic)
		p.reply(`{"op":"subscribe","channel":"x"}`)
		mu.Lock()
		defer mu.Unlock()
		got := strings.Join(heard[p.session], ", ")
		if want := `a json "{\"x\":1}", b text "hi", c binary "\x00\x01"`; got != want {
			t.Errorf("heard %s, want %s", got, want)
		}
	})
}
