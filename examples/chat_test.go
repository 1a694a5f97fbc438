package examples

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestChat has one guest by each way in: what any of them says all hear, in one order.
func TestChat(t *testing.T) {
	start(t, "chat", []string{tcpAddr, httpAddr})
	ann := byTCP(t, "ann")
	ann.say(`{"op":"connect","id":1,"name":"ann","subscribe":[{"channel":"room","since":"last:20"}]}`)
	ann.next("connected")
	bob := byWS(t, "bob", "/connect?name=bob&channel=room&since=last:20")
	bob.next("connected")
	carol := bySSE(t, "carol", "/connect?name=carol&channel=room&since=last:20", "")
	guests := []*guest{ann, bob, carol}

	for _, g := range guests {
		g.say(`{"op":"publish","id":2,"channel":"room","type":"text","data":"hello, ` + g.name + ` is here"}`)
	}
	var heard [][]string
	last := ""
	for _, g := range guests {
		var said []string
		for range guests {
			f := g.next("message")
			said = append(said, f.Headers["by"]+": "+f.text())
			last = f.event
		}
		heard = append(heard, said)
	}
	for i, g := range guests {
		if !slices.Contains(heard[0], g.name+": hello, "+g.name+" is here") || !slices.Equal(heard[i], heard[0]) {
			t.Errorf("%s heard %q, ann %q", g.name, heard[i], heard[0])
		}
	}

	// A whisper is heard by one of them.
	ann.say(`{"op":"publish","id":3,"channel":"@bob","type":"text","data":"psst"}`)
	ann.say(`{"op":"publish","id":4,"channel":"room","type":"text","data":"aloud"}`)
	if f := bob.next("message"); f.text() != "psst" || f.Channel != "@bob" {
		t.Errorf("bob heard %+v", f)
	}
	for _, g := range guests {
		if f := g.next("message"); f.text() != "aloud" {
			t.Errorf("%s heard %+v", g.name, f)
		} else if g == carol {
			last = f.event
		}
	}

	// Who was away hears what was said meanwhile.
	carol.leave()
	bob.say(`{"op":"publish","id":5,"channel":"room","type":"text","data":"where is carol?"}`)
	bob.next("message")
	carol = bySSE(t, "carol", "/connect?name=carol", last)
	if f := carol.next("message"); f.text() != "where is carol?" {
		t.Errorf("carol heard %+v", f)
	}
	carol.say(`{"op":"publish","id":6,"channel":"room","type":"text","data":"here"}`)
	if f := ann.next("message"); f.text() != "where is carol?" {
		t.Errorf("ann heard %+v", f)
	}
	if f := ann.next("message"); f.text() != "here" || f.Headers["by"] != "carol" {
		t.Errorf("ann heard %+v", f)
	}
}

func TestChatRefuses(t *testing.T) {
	start(t, "chat", []string{tcpAddr, httpAddr})
	nobody := byTCP(t, "nobody")
	nobody.say(`{"op":"connect","id":1}`)
	if f := nobody.next("error"); f.Code != "unauthorized" {
		t.Errorf("without a name: %+v", f)
	}
	nobody.next("close")
	ann := byWS(t, "ann", "/connect?name=ann")
	for _, publish := range []string{
		`{"op":"publish","id":1,"channel":"room","data":{"not":"text"}}`,
		`{"op":"publish","id":1,"channel":"room","type":"text","data":"` + strings.Repeat("x", 1001) + `"}`,
	} {
		ann.say(publish)
		if f := ann.next("error"); f.Code != "bad_request" || f.ID != 1 {
			t.Errorf("%.60s: %+v", publish, f)
		}
	}
	ann.say(`{"op":"subscribe","id":2,"channel":"@bob"}`) // whose whispers are his
	if f := ann.next("error"); f.Code != "forbidden" {
		t.Errorf("bob's inbox: %+v", f)
	}
}

func TestChatPage(t *testing.T) {
	start(t, "chat", []string{tcpAddr, httpAddr})
	resp, err := http.Get("http://" + httpAddr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(p), "EventSource") {
		t.Errorf("%v %s %v", resp.Header, p, err)
	}
}
