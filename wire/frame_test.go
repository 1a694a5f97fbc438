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
