package wire

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// What a client writes a server reads.
func TestClientFrames(t *testing.T) {
	for _, tt := range []struct {
		frame      []byte
		json, want string
	}{
		{AppendConnect(nil, &Connect{}), `{"op":"connect"}`, "connect"},
		{
			AppendConnect(nil, &Connect{ID: 1, Version: 1, Token: "t", Session: "s", Secret: "x", Name: "n", Subscribe: []Want{{"a", ""}, {"b", "all"}}}),
			`{"op":"connect","id":1,"version":1,"token":"t","session":"s","secret":"x","name":"n","subscribe":[{"channel":"a"},{"channel":"b","since":"all"}]}`,
			`connect id=1 token=t session=s secret=x name=n subscribe=[{"channel":"a"},{"channel":"b","since":"all"}],"version":1`,
		},
		{AppendConnect(nil, &Connect{Subscribe: []Want{}}), `{"op":"connect","subscribe":[]}`, "connect subscribe=[]"},
		{AppendSubscribe(nil, 1, "a.>", ""), `{"op":"subscribe","id":1,"channel":"a.>"}`, "subscribe id=1 channel=a.>"},
		{AppendSubscribe(nil, 1, "a", "all"), `{"op":"subscribe","id":1,"channel":"a","since":"all"}`, "subscribe id=1 channel=a since=all"},
		{AppendUnsubscribe(nil, 1, "a"), `{"op":"unsubscribe","id":1,"channel":"a"}`, "unsubscribe id=1 channel=a"},
		{AppendPublish(nil, 0, "a", JSON, "", []byte("1"), "", nil), `{"op":"publish","channel":"a","data":1}`, "publish channel=a data=1"},
		{
			AppendPublish(nil, 2, "a", Binary, "image/png", []byte("1"), "k", map[string]string{"a": "b", "A": "c"}),
			`{"op":"publish","id":2,"channel":"a","type":"image/png","data64":"MQ==","key":"k","headers":{"A":"c","a":"b"}}`,
			`publish id=2 channel=a type=image/png data64=MQ== key=k headers={"A":"c","a":"b"}`,
		},
		{AppendCall(nil, 3, "m", Text, []byte("hi")), `{"op":"call","id":3,"method":"m","type":"text","data":"hi"}`, `call id=3 type=text data="hi" method=m`},
		{AppendSend(nil, "m\"\n", Binary, nil), `{"op":"send","method":"m\"\n","data64":""}`, ""},
		{AppendPresence(nil, 1, "a"), `{"op":"presence","id":1,"channel":"a"}`, "presence id=1 channel=a"},
		{AppendHistory(nil, 1, "a", "", 0), `{"op":"history","id":1,"channel":"a"}`, "history id=1 channel=a"},
		{AppendHistory(nil, 1, "a", "all", 9), `{"op":"history","id":1,"channel":"a","since":"all","limit":9}`, `history id=1 channel=a since=all,"limit":9`},
		{AppendRefresh(nil, 1, "t"), `{"op":"refresh","id":1,"token":"t"}`, "refresh id=1 token=t"},
		{AppendPing(nil, ""), `{"op":"ping"}`, "ping"},
		{AppendPong(nil, 0), `{"op":"pong"}`, "pong"},
	} {
		if string(tt.frame) != tt.json {
			t.Errorf("got  %s\nwant %s", tt.frame, tt.json)
		}
		var f Frame
		switch err := f.Parse(tt.frame); {
		case tt.want == "":
			if CodeOf(err) != CodeBadFrame {
				t.Errorf("a method with a line end: %v", err)
			}
		case err != nil || show(&f) != tt.want:
			t.Errorf("%s became %s, %v", tt.json, show(&f), err)
		}
	}
}

// What a server writes a client reads.
func TestServerFrame(t *testing.T) {
	read := func(p []byte) *ServerFrame {
		t.Helper()
		f := &ServerFrame{}
		if err := json.Unmarshal(p, f); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		return f
	}
	if f := read(AppendConnected(nil, connected)); !reflect.DeepEqual(f.Connected(), connected) || f.Err() != nil {
		t.Errorf("connected became %+v", f.Connected())
	}
	message := AppendMessageTail(AppendMessageHead(nil, "a.b", "p", "a.*"), Text, "", []byte("hi"), noon, "s", map[string]string{"h": "v"})
	if f := read(message); f.Op != OpMessage || f.Channel != "a.b" || f.Position != "p" || f.Sub != "a.*" || !f.Time.Equal(noon) || f.From != "s" || f.Headers["h"] != "v" || f.Connected() != nil {
		t.Errorf("%s became %+v", message, f)
	}
	if f := read(AppendGap(nil, "a", "p", "q", 8)); f.Op != OpGap || f.After != "p" || f.Position != "q" || f.Lost != 8 {
		t.Errorf("gap became %+v", f)
	}
	if f := read(AppendSubscribeReply(nil, 3, "a", "p", true)); f.Op != OpReply || f.ID != 3 || f.Channel != "a" || !f.Gap {
		t.Errorf("reply became %+v", f)
	}
	for _, e := range []*Error{
		{Code: CodeForbidden, Message: "no", Retry: -time.Millisecond},
		{Code: CodeOverloaded, Message: "later"},
		{Code: "from_a_newer_server", Message: "later", Retry: time.Second},
	} {
		if f := read(AppendError(nil, 9, e)); f.ID != 9 || !reflect.DeepEqual(f.Err(), e) {
			t.Errorf("%v became %+v", e, f.Err())
		}
		if f := read(AppendClose(nil, e.Code, e.Message, e.Retry)); f.Op != OpClose || !reflect.DeepEqual(f.Err(), e) {
			t.Errorf("close with %v became %+v", e, f.Err())
		}
	}
	if f := read([]byte(`{"op":"dance","id":1,"x":{}}`)); f.Op != OpNone || f.ID != 1 {
		t.Errorf("a new op became %+v", f)
	}
}

func TestServerFrameValue(t *testing.T) {
	for _, tt := range []struct {
		name, members string
		want          Type
		content, data string
		ok            bool
	}{
		{"json", `"data":[1.50, 2]`, JSON, "", "[1.50, 2]", true},
		{"null", `"data":null`, JSON, "", "null", true},
		{"text", `"type":"text","data":"a\n"`, Text, "", "a\n", true},
		{"bytes", `"data64":"AP8="`, Binary, "", "\x00\xff", true},
		{"no bytes", `"data64":""`, Binary, "", "", true},
		{"an image", `"type":"image/png","data64":"AP8="`, Binary, "image/png", "\x00\xff", true},
		{"text that is none", `"type":"text","data":null`, Text, "", "", false},
		{"nothing", `"type":"text"`, JSON, "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f ServerFrame
			if err := json.Unmarshal([]byte(`{"op":"message",`+tt.members+`}`), &f); err != nil {
				t.Fatal(err)
			}
			typ, content, p, err := f.Value()
			if typ != tt.want || content != tt.content || string(p) != tt.data || (err == nil) != tt.ok {
				t.Errorf("%s %q %q, %v", typ, content, p, err)
			}
		})
	}
}

// A publication goes through both codecs unchanged.
func FuzzPublish(f *testing.F) {
	f.Add("a", uint8(1), "", []byte("a\"\\\r\n\x00\u2028é"), "k", "h", "v")
	f.Add("a.b", uint8(0), "image/png", []byte{0, 0xff}, "", "", "")
	f.Add("", uint8(2), "", []byte(` { "a" : 1 } `), "\n", "", "")
	f.Fuzz(func(t *testing.T, channel string, kind uint8, contentType string, data []byte, key, name, value string) {
		typ := Type(kind % 3)
		if typ == JSON && CheckJSON(data) != nil {
			typ = Text
		}
		frame := AppendPublish(nil, 1, channel, typ, contentType, data, key, map[string]string{name: value})
		var fr Frame
		clean := func(s string) string { return string([]rune(s)) }
		if err := fr.Parse(frame); err != nil {
			if CodeOf(err) != CodeBadFrame || len(clean(key)) <= MaxKey && (contentType == "" || CheckContentType(contentType) == nil) {
				t.Fatalf("%s: %v", frame, err)
			}
			return
		}
		headers, err := fr.HeaderMap()
		if err == nil && headers[clean(name)] != clean(value) || string(fr.Channel) != clean(channel) || string(fr.Key) != clean(key) {
			t.Fatalf("%s became %s with %q, %v", frame, show(&fr), headers, err)
		}
		switch {
		case contentType != "":
			typ = Binary
		case typ == Text:
			data = []byte(clean(string(data)))
		case typ == JSON:
			data = AppendCompact(nil, data)
		}
		gotType, gotData, gotContent, err := fr.Value(nil)
		if err != nil || gotType != typ || string(gotData) != string(data) || string(gotContent) != contentType {
			t.Fatalf("%s has %s %q %q, %v", frame, gotType, gotData, gotContent, err)
		}
	})
}
