package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 5e6, time.UTC)

func TestServerFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{
			"message", AppendMessageTail(AppendMessageHead(nil, "news", "k3f9-42-1zq", ""), JSON, "", []byte(`"hi"`), noon, "", nil),
			`{"op":"message","channel":"news","position":"k3f9-42-1zq","data":"hi","time":"2026-11-22T12:00:00.005Z"}`,
		},
		{
			"message of a pattern", AppendMessageTail(AppendMessageHead(nil, "a.b", "p", "a.*"), Text, "", []byte("hi\n"), noon, "s", map[string]string{"b": "2", "a": "\"1"}),
			`{"op":"message","channel":"a.b","position":"p","sub":"a.*","type":"text","data":"hi\n","time":"2026-11-22T12:00:00.005Z","from":"s","headers":{"a":"\"1","b":"2"}}`,
		},
		{
			"item", AppendMessageTail(AppendItemHead(nil, "news", "p"), Binary, "", []byte{0, 255}, noon, "", nil),
			`{"channel":"news","position":"p","data64":"AP8=","time":"2026-11-22T12:00:00.005Z"}`,
		},
		{"data of another type", AppendData(nil, Binary, "image/png", []byte{0, 255}), `,"type":"image/png","data64":"AP8="`},
		{"no data", AppendData(nil, JSON, "", nil), `,"data":null`},
		{"reply", append(AppendReply(nil, 1), '}'), `{"op":"reply","id":1}`},
		{"reply about a channel", append(AppendChannelReply(nil, 0, "news"), '}'), `{"op":"reply","channel":"news"}`},
		{
			"reply to call", append(AppendData(AppendReply(nil, 4), JSON, "", []byte("[]")), '}'),
			`{"op":"reply","id":4,"data":[]}`,
		},
		{
			"reply with more", append(AppendTrue(AppendNumber(AppendMember(AppendReply(nil, 4), "a", []byte("b")), "c", -1), "d"), '}'),
			`{"op":"reply","id":4,"a":"b","c":-1,"d":true}`,
		},
		{"reply to subscribe", AppendSubscribeReply(nil, 1, "news", "p", false), `{"op":"reply","id":1,"channel":"news","position":"p"}`},
		{"with a gap", AppendSubscribeReply(nil, 1, "news", "p", true), `{"op":"reply","id":1,"channel":"news","position":"p","gap":true}`},
		{
			"error", AppendError(nil, 5, &Error{Code: CodeForbidden, Message: `no "way"`}),
			`{"op":"error","id":5,"code":"forbidden","message":"no \"way\"","retry":-1}`,
		},
		{
			"error to try again", AppendError(nil, 0, &Error{Code: CodeRateLimited, Message: "slower", Retry: 1500 * time.Microsecond}),
			`{"op":"error","code":"rate_limited","message":"slower","retry":2}`,
		},
		{"gap", AppendGap(nil, "news", "p", "q", 8), `{"op":"gap","channel":"news","after":"p","position":"q","lost":8}`},
		{"gap of unknown size", AppendGap(nil, "news", "p", "q", 0), `{"op":"gap","channel":"news","after":"p","position":"q"}`},
		{"ping", AppendPing(nil, "p"), `{"op":"ping","position":"p"}`},
		{"ping without position", AppendPing(nil, ""), `{"op":"ping"}`},
		{"pong", AppendPong(nil, 4), `{"op":"pong","id":4}`},
		{"pong to none", AppendPong(nil, 0), `{"op":"pong"}`},
		{"close", AppendClose(nil, "", "", 0), `{"op":"close","code":"normal","reason":"closed as asked; nothing to do","retry":-1}`},
		{"close at will", AppendClose(nil, CodeGoingAway, "bye", 0), `{"op":"close","code":"going_away","reason":"bye","retry":0}`},
		{"close later", AppendClose(nil, CodeDraining, "bye", time.Minute), `{"op":"close","code":"draining","reason":"bye","retry":60000}`},
		{
			"close for ever", AppendClose(nil, CodeDraining, strings.Repeat("é", MaxReason), -1),
			`{"op":"close","code":"draining","reason":"` + strings.Repeat("é", MaxReason/2) + `","retry":-1}`,
		},
		{"send", AppendSend(nil, "m", JSON, []byte("{}")), `{"op":"send","method":"m","data":{}}`},
		{
			"connected", AppendConnected(nil, &Connected{Session: "s", Secret: "x", Position: "p"}),
			`{"op":"connected","session":"s","secret":"x","position":"p","limits":{"message":0,"frame":0,"subscriptions":0,"rate":0,"keyWindow":0,"resumeWindow":0},"ping":0,"subscriptions":[]}`,
		},
		{
			"connected with all", AppendConnected(nil, connected),
			`{"op":"connected","id":1,"session":"s","secret":"x","position":"p","version":1,` +
				`"limits":{"message":1048576,"frame":1500000,"subscriptions":1024,"rate":10000,"keyWindow":120000,"resumeWindow":30000},"ping":25000,` +
				`"subscriptions":[{"channel":"a","position":"q"},{"channel":"b.*","position":"r","gap":true},{"channel":"c","error":{"code":"forbidden","message":"no","retry":-1}}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if string(tt.got) != tt.want {
				t.Errorf("got  %s\nwant %s", tt.got, tt.want)
			}
		})
	}
}

var connected = &Connected{
	ID: 1, Session: "s", Secret: "x", Position: "p", Version: 1,
	Limits: Limits{Message: 1 << 20, Frame: 1_500_000, Subscriptions: 1024, Rate: 10_000, KeyWindow: 2 * time.Minute, ResumeWindow: 30 * time.Second},
	Ping:   25 * time.Second,
	Subscriptions: []Subscribed{
		{Channel: "a", Position: "q"},
		{Channel: "b.*", Position: "r", Gap: true},
		{Channel: "c", Err: &Error{Code: CodeForbidden, Message: "no", Retry: -time.Millisecond}},
	},
}

func TestMessageAllocates(t *testing.T) {
	dst := make([]byte, 0, 1024)
	headers := map[string]string{"b": "2", "a": "1"}
	data := []byte("some text\n")
	if n := testing.AllocsPerRun(100, func() {
		b := AppendMessageHead(dst, "a.b", "k3f9-42-1zq", "a.*")
		b = AppendMessageTail(b, Text, "", data, noon, "s", headers)
		b = AppendGap(b, "a", "p", "q", 1)
		b = AppendSubscribeReply(b, 1, "a", "p", true)
		AppendPing(b, "p")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever is published, its frame is one line of JSON, and a client reads it as it was.
func FuzzMessage(f *testing.F) {
	f.Add("a", "p", "s", uint8(1), "", []byte("a\"\\\r\n\x00\x7f\u2028é"), "h", "v", int64(0))
	f.Add("a\n", "\xff", "", uint8(2), "", []byte(`{"a":[1e400,"\u0000 "]}`), "", "", int64(1)<<40)
	f.Add("", "", "", uint8(0), "image/png", []byte{0, 0xff}, "\n", "", int64(-1))
	f.Fuzz(func(t *testing.T, channel, position, sub string, kind uint8, contentType string, data []byte, name, value string, ms int64) {
		typ := Type(kind % 3)
		if typ == JSON && CheckJSON(data) != nil {
			typ = Text
		}
		if typ == JSON {
			data = AppendCompact(nil, data)
		}
		line := AppendMessageTail(AppendMessageHead(nil, channel, position, sub), typ, contentType, data, time.UnixMilli(ms), sub, map[string]string{name: value})
		checkLine(t, line)
		var got ServerFrame
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		clean := func(s string) string { return string([]rune(s)) }
		if got.Op != OpMessage || got.Channel != clean(channel) || got.Position != clean(position) || got.Sub != clean(sub) || got.From != clean(sub) || got.Headers[clean(name)] != clean(value) {
			t.Fatalf("%s became %+v", line, got)
		}
		gotType, gotContent, gotData, err := got.Value()
		if contentType != "" {
			typ = Binary
		}
		if typ == Text {
			data = []byte(clean(string(data)))
		}
		if contentType == "text" || contentType == "json" { // no content types; nobody makes such a frame
			return
		}
		if err != nil || gotType != typ || gotContent != clean(contentType) || !bytes.Equal(gotData, data) {
			t.Fatalf("%s has %s %q %q, %v", line, gotType, gotContent, gotData, err)
		}
	})
}
