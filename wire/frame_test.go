package wire

import (
	"strings"
	"testing"
)

// show tells a frame in one line: the members that are there.
func show(f *Frame) string {
	var b strings.Builder
	b.WriteString(f.Op.String())
	if f.ID != 0 {
		b.WriteString(" id=" + string(appendID(nil, f.ID)[6:]))
	}
	for _, m := range []member{mChannel, mSince, mType, mData, mData64, mKey, mMethod, mToken, mSession, mSecret, mName, mHeaders, mSubscribe} {
		if _, p := f.member([]byte(m.String())); *p != nil {
			b.WriteString(" " + m.String() + "=" + string(*p))
		}
	}
	if f.Version != 0 {
		b.Write(AppendNumber(nil, "version", int64(f.Version)))
	}
	if f.Limit != 0 {
		b.Write(AppendNumber(nil, "limit", int64(f.Limit)))
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, frame, want string }{
		{"subscribe", `{"op":"subscribe","id":1,"channel":"news","since":"all"}`, "subscribe id=1 channel=news since=all"},
		{"white space", " \t\r\n{ \"op\" : \"ping\" , \"id\" : 7 } \n", "ping id=7"},
		{"without id", `{"op":"pong"}`, "pong"},
		{"the largest id", `{"op":"ping","id":9007199254740991}`, "ping id=9007199254740991"},
		{"publish", `{"op":"publish","id":3,"channel":"a.b","data":{"a":[1,2.50e+3,null,true,false,"\u00e9"]},"key":"k","headers":{"h":"v"}}`,
			`publish id=3 channel=a.b data={"a":[1,2.50e+3,null,true,false,"\u00e9"]} key=k headers={"h":"v"}`},
		{"data of every sort", `{"op":"call","method":"m","data":null}`, "call data=null method=m"},
		{"connect", `{"op":"connect","id":1,"version":1,"token":"t","session":"s","secret":"x","name":"n","features":["a"],"subscribe":[{"channel":"a"}]}`,
			`connect id=1 token=t session=s secret=x name=n subscribe=[{"channel":"a"}],"version":1`},
		{"history", `{"op":"history","channel":"a","limit":100}`, `history channel=a,"limit":100`},
		{"unknown members", `{"x":[[{}]],"x":-0.1E-1,"Op":1,"op":"ping","":""}`, "ping"},
		{"escapes", `{"\u006fp":"p\u0069ng","channel":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d","key":""}`, "ping channel=\"\\/\b\f\n\r\té😀\ufffd key="},
		{"binary", `{"op":"send","method":"m","type":"image/png","data64":"AA\u003d\u003d"}`, "send type=image/png data64=AA== method=m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f Frame
			if err := f.Parse([]byte(tt.frame)); err != nil {
				t.Fatal(err)
			}
			if got := show(&f); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct {
		name, frame string
		code        Code
		says        string
		id          uint64
	}{
		{"nothing", "", CodeBadFrame, "one JSON object", 0},
		{"white space", " \n", CodeBadFrame, "one JSON object", 0},
		{"a word", "GET / HTTP/1.1", CodeBadFrame, "one JSON object", 0},
		{"an array", `[{"op":"ping","id":1}]`, CodeBadFrame, "one JSON object", 0},
		{"cut", `{"id":1,"op":"ping"`, CodeBadFrame, "a comma or }", 1},
		{"cut in a string", `{"id":1,"op":"pi`, CodeBadFrame, "inside of a string", 1},
		{"cut in a list", `{"id":1,"data":[1`, CodeBadFrame, "a comma or ]", 1},
		{"cut behind a colon", `{"id":1,"op":`, CodeBadFrame, "ends here", 1},
		{"two objects", `{"id":1,"op":"ping"} {}`, CodeBadFrame, "byte 22: something follows", 1},
		{"a comma at the end", `{"id":1,"op":"ping",}`, CodeBadFrame, "name should be here", 1},
		{"a comma at the beginning", `{,"id":1}`, CodeBadFrame, "name should be here", 0},
		{"no comma", `{"id":1 "op":"ping"}`, CodeBadFrame, "a comma or }", 1},
		{"no colon", `{"id":1,"op" "ping"}`, CodeBadFrame, "a colon", 1},
		{"brackets that do not match", `{"id":1,"op":"publish","data":[{]}`, CodeBadFrame, "name should be here", 1},
		{"a bracket for a brace", `{"id":1,"data":{"a":1]}`, CodeBadFrame, "a comma or }", 1},
		{"a string that breaks inside", `{"id":1,"data":["\z"]}`, CodeBadFrame, "no escape", 1},
		{"a name that breaks inside", `{"id":1,"data":{"\z":1}}`, CodeBadFrame, "no escape", 1},
		{"a name that breaks", `{"id":1,"\u00ge":1}`, CodeBadFrame, "no escape", 1},
		{"no colon inside", `{"id":1,"data":{"a" 1}}`, CodeBadFrame, "a colon", 1},
		{"a long name in escapes", `{"id":1,"` + strings.Repeat(`\u0061`, 10) + `":1}`, CodeBadFrame, "op is missing", 1},
		{"an escape that is none", `{"id":1,"data":"\x"}`, CodeBadFrame, "no escape", 1},
		{"half an escape", `{"id":1,"data":"\u12"}`, CodeBadFrame, "no escape", 1},
		{"a raw line end", "{\"id\":1,\"data\":\"a\nb\"}", CodeBadFrame, "control character", 1},
		{"a leading zero", `{"id":1,"data":01}`, CodeBadFrame, "a comma or }", 1},
		{"no fraction", `{"id":1,"data":1.}`, CodeBadFrame, "a digit", 1},
		{"no exponent", `{"id":1,"data":1e+}`, CodeBadFrame, "a digit", 1},
		{"a minus", `{"id":1,"data":-}`, CodeBadFrame, "a digit", 1},
		{"a word inside", `{"id":1,"data":nul}`, CodeBadFrame, "a value", 1},
		{"NUL", "{\"id\":1,\"data\":\x00}", CodeBadFrame, "a value", 1},
		{"a byte order mark", "\ufeff{}", CodeBadFrame, "one JSON object", 0},

		{"not UTF-8", "{\"op\":\"ping\",\"key\":\"\xff\",\"id\":1}", CodeBadUTF8, "", 1},
		{"not UTF-8, in a member not known", "{\"op\":\"ping\",\"x\":{\"\xed\xa0\x80\":1},\"id\":1}", CodeBadUTF8, "", 1},
		{"not UTF-8, between members", "{\"id\":1,\xff}", CodeBadUTF8, "", 1},

		{"too deep", `{"op":"publish","channel":"a","data":` + nested(MaxDepth) + `,"id":1}`, CodeBadFrame, "512 deep", 1},
		{"much too deep", `{"id":1,"data":` + strings.Repeat("[", 1<<20), CodeBadFrame, "512 deep", 1},
		{"much too deep, objects", `{"id":1,"data":` + strings.Repeat(`{"[":`, 1<<18), CodeBadFrame, "512 deep", 1},

		{"op twice", `{"op":"ping","op":"pong","id":1}`, CodeBadFrame, "op is there twice", 1},
		{"data twice", `{"op":"publish","data":1,"channel":"a","d\u0061ta":2,"id":1}`, CodeBadFrame, "data is there twice", 1},
		{"id twice", `{"op":"ping","id":1,"id":2}`, CodeBadFrame, "id is there twice", 0},
		{"channel is a number", `{"op":"subscribe","channel":1,"id":1}`, CodeBadFrame, "channel is a string", 1},
		{"since is null", `{"op":"subscribe","channel":"a","since":null,"id":1}`, CodeBadFrame, "since is a string", 1},
		{"headers is a list", `{"op":"publish","headers":[],"id":1}`, CodeBadFrame, "headers is an object", 1},
		{"subscribe is an object", `{"op":"connect","subscribe":{},"id":1}`, CodeBadFrame, "subscribe is an array", 1},
		{"op is a number", `{"op":1,"id":1}`, CodeBadFrame, "op is a string", 1},
		{"limit is zero", `{"op":"history","channel":"a","limit":0,"id":1}`, CodeBadFrame, "limit is an integer from 1 to 2147483647", 1},
		{"a fraction", `{"op":"history","channel":"a","limit":1.5,"id":1}`, CodeBadFrame, "limit is an integer", 1},

		{"id zero", `{"op":"ping","id":0}`, CodeBadFrame, "id is an integer from 1 to 9007199254740991", 0},
		{"id below", `{"op":"ping","id":-1}`, CodeBadFrame, "id is an integer", 0},
		{"id above", `{"op":"ping","id":9007199254740992}`, CodeBadFrame, "id is an integer", 0},
		{"id far above", `{"op":"ping","id":18446744073709551617}`, CodeBadFrame, "id is an integer", 0},
		{"id with a fraction", `{"op":"ping","id":1.0}`, CodeBadFrame, "id is an integer", 0},
		{"id with an exponent", `{"op":"ping","id":1e3}`, CodeBadFrame, "id is an integer", 0},
		{"id in quotes", `{"op":"ping","id":"1"}`, CodeBadFrame, "id is an integer", 0},

		{"unknown op", `{"op":"sing","id":1,"data":1,"data64":2}`, CodeUnknownOp, `op "sing"`, 1},
		{"an op of the server", `{"op":"reply","id":1}`, CodeUnknownOp, `op "reply"`, 1},
		{"empty op", `{"op":"","id":1}`, CodeUnknownOp, `op ""`, 1},
		{"capitals", `{"op":"Ping","id":1}`, CodeUnknownOp, `op "Ping"`, 1},
		{"no op", `{"id":1}`, CodeBadFrame, "op is missing", 1},
		{"an op in capitals", `{"OP":"ping","id":1}`, CodeBadFrame, "op is missing", 1},

		{"no channel", `{"op":"subscribe","id":1}`, CodeBadFrame, "subscribe needs a channel", 1},
		{"no method", `{"op":"call","id":1,"data":1}`, CodeBadFrame, "call needs a method", 1},
		{"no token", `{"op":"refresh","id":1}`, CodeBadFrame, "refresh needs a token", 1},
		{"no data", `{"op":"publish","channel":"a","id":1}`, CodeBadFrame, "publish needs data", 1},
		{"empty method", `{"op":"call","id":1,"data":1,"method":""}`, CodeBadFrame, "method is a string of 1 to 128", 1},
		{"method not printable", `{"op":"call","id":1,"data":1,"method":"a\u0085"}`, CodeBadFrame, "method is a string of 1 to 128", 1},
		{"long key", `{"op":"publish","channel":"a","data":1,"key":"` + strings.Repeat("k", 129) + `","id":1}`, CodeBadFrame, "key is a string of at most 128", 1},
		{"long key in escapes", `{"op":"ping","key":"` + strings.Repeat(`\u00e9`, 65) + `","id":1}`, CodeBadFrame, "key is a string of at most 128", 1},
		{"long name", `{"op":"connect","name":"` + strings.Repeat("k", 65) + `","id":1}`, CodeBadFrame, "name is a string of at most 64", 1},
		{"long token", `{"op":"connect","token":"` + strings.Repeat("k", 16<<10+1) + `","id":1}`, CodeBadFrame, "token is a string of at most 16384", 1},

		{"data and data64", `{"op":"publish","channel":"a","data":1,"data64":"","id":1}`, CodeBadFrame, "data and data64", 1},
		{"text that is none", `{"op":"publish","channel":"a","data":1,"type":"text","id":1}`, CodeBadFrame, "data is a string", 1},
		{"text in base64", `{"op":"publish","channel":"a","data64":"","type":"text","id":1}`, CodeBadFrame, "data is a string", 1},
		{"json in base64", `{"op":"publish","channel":"a","data64":"","type":"json","id":1}`, CodeBadFrame, "no data64", 1},
		{"an image as JSON", `{"op":"publish","channel":"a","data":"","type":"image/png","id":1}`, CodeBadFrame, "other types have data64", 1},
		{"a type without a slash", `{"op":"publish","channel":"a","data64":"","type":"binary","id":1}`, CodeBadFrame, "a media type", 1},
		{"a long type", `{"op":"publish","channel":"a","data64":"","type":"a/` + strings.Repeat("b", 126) + `","id":1}`, CodeBadFrame, "at most 127", 1},
		{"a type not in ASCII", `{"op":"publish","channel":"a","data64":"","type":"a/é","id":1}`, CodeBadFrame, "a media type", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f Frame
			err := f.Parse([]byte(tt.frame))
			if CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %s: … %s …", err, tt.code, tt.says)
			}
			if f.ID != tt.id {
				t.Errorf("id %d, want %d", f.ID, tt.id)
			}
		})
	}
}

// What is just within the bounds is taken.
func TestParseBounds(t *testing.T) {
	for _, tt := range []struct{ name, frame string }{
		{"depth", `{"op":"publish","channel":"a","data":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`},
		{"depth of objects", `{"op":"publish","channel":"a","data":` + strings.Repeat(`{"a":`, MaxDepth-2) + "{ }" + strings.Repeat("}", MaxDepth-2) + `}`},
		{"key", `{"op":"ping","key":"` + strings.Repeat("k", MaxKey) + `"}`},
		{"key in escapes", `{"op":"ping","key":"` + strings.Repeat(`\u00e9`, MaxKey/2) + `"}`},
		{"method", `{"op":"send","data":1,"method":"` + strings.Repeat("ü", MaxMethod/2) + `"}`},
		{"token", `{"op":"refresh","token":"` + strings.Repeat("k", MaxCredential) + `"}`},
		{"type", `{"op":"publish","channel":"a","data64":"","type":"a/` + strings.Repeat("b", MaxContentType-2) + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := new(Frame).Parse([]byte(tt.frame)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A frame that is used again has nothing of the one before.
func TestParseAgain(t *testing.T) {
	var f Frame
	for _, s := range []string{
		`{"op":"publish","id":1,"channel":"a","type":"text","data":"x","key":"k","headers":{},"version":1,"limit":1}`,
		`{"op":"nonsense","id":1`,
	} {
		_ = f.Parse([]byte(s))
		if err := f.Parse([]byte(`{"op":"ping"}`)); err != nil || show(&f) != "ping" {
			t.Errorf("after %s: %s, %v", s, show(&f), err)
		}
	}
}

func TestParseAllocates(t *testing.T) {
	for _, frame := range []string{
		`{"op":"publish","id":1,"channel":"a.b","data":{"a":[1,{"b":"c"}],"d":"é"},"key":"k","headers":{"a":"b"}}`,
		`{"op":"publish","id":1,"channel":"a.b","type":"text","data":"a\nb"}`,
		`{"op":"subscribe","id":1,"channel":"a.b","since":"last:10"}`,
		`{"op":"call","id":1,"method":"m","data":{}}`,
		`{"op":"connect","id":1,"name":"a\/b\u00e9","subscribe":[{"channel":"a"}]}`,
		`{"\u006fp":"ping"}`,
	} {
		var f Frame
		p, once := make([]byte, len(frame)), []byte(frame)
		if n := testing.AllocsPerRun(100, func() {
			copy(p, once)
			if err := f.Parse(p); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for %s", n, frame)
		}
	}
}
