package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var benchFrames = []struct{ name, frame string }{
	{"publish text 128 B", `{"op":"publish","id":12345,"channel":"chat.room1","type":"text","data":"` + strings.Repeat("0123456789abcdef", 8) + `"}`},
	{"publish json 128 B", `{"op":"publish","id":12345,"channel":"chat.room1","data":{"from":"ann","to":["bob","eve"],"n":[1,2,3,4.5],"text":"` + strings.Repeat("x", 66) + `","ok":true}}`},
	{"publish Chinese 1 KiB", `{"op":"publish","id":12345,"channel":"chat.room1","data":"` + strings.Repeat("世界你好", 85) + `"}`},
	{"publish json 16 KiB", `{"op":"publish","id":12345,"channel":"chat.room1","data":[` + strings.Repeat(`{"id":17,"name":"a name","tags":["x","y"],"at":1.5e3},`, 300) + `0]}`},
	{"subscribe", `{"op":"subscribe","id":1,"channel":"news","since":"last:10"}`},
	{"1 MiB of brackets", `{"op":"publish","data":` + strings.Repeat("[", 1<<20)},
}

func BenchmarkParse(b *testing.B) {
	for _, tt := range benchFrames {
		b.Run(tt.name, func(b *testing.B) {
			var f Frame
			p := []byte(tt.frame)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				_ = f.Parse(p)
			}
		})
	}
}

func BenchmarkParseText(b *testing.B) {
	var f Frame
	p := []byte(benchFrames[2].frame)
	for b.Loop() {
		_ = f.ParseText(p)
	}
}

// What the same costs with the standard library, and what looking for UTF-8 alone costs.
func BenchmarkParseBare(b *testing.B) {
	for _, tt := range benchFrames {
		p := []byte(tt.frame)
		b.Run("json.Valid/"+tt.name, func(b *testing.B) {
			for b.Loop() {
				json.Valid(p)
			}
		})
		b.Run("utf8.Valid/"+tt.name, func(b *testing.B) {
			for b.Loop() {
				utf8.Valid(p)
			}
		})
	}
}

func BenchmarkMessage(b *testing.B) {
	data, at := []byte(strings.Repeat("0123456789abcdef", 8)), time.Date(2026, 11, 22, 12, 0, 0, 123e6, time.UTC)
	dst := make([]byte, 0, 512)
	b.Run("head", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendMessageHead(dst[:0], "chat.room1", "k3f9-42-t3k1c0", "")
		}
	})
	b.Run("tail", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendMessageTail(dst[:0], Text, "", data, at, "AAAAAAAAAAAAAAAAAAAAAA", nil)
		}
	})
}

func BenchmarkValue(b *testing.B) {
	for _, tt := range benchFrames[:4] {
		b.Run(tt.name, func(b *testing.B) {
			var f Frame
			if err := f.Parse([]byte(tt.frame)); err != nil {
				b.Fatal(err)
			}
			dst := make([]byte, 0, 32<<10)
			for b.Loop() {
				_, _, _, _ = f.Value(dst)
			}
		})
	}
	b.Run("AppendCompact", func(b *testing.B) {
		p := []byte(strings.Repeat(`{"id": 17, "name": "a name", "tags": ["x", "y"], "at": 1.5e3}`, 300))
		b.SetBytes(int64(len(p)))
		dst := make([]byte, 0, len(p))
		for b.Loop() {
			AppendCompact(dst, p)
		}
	})
}
