package ws

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/memnet"
)

// FuzzFrames feeds an echo link what may come after the handshake, cut in two,
// and holds its answers against what a Reader makes of the same bytes.
func FuzzFrames(f *testing.F) {
	for _, c := range conformanceCases() {
		if s := encode(c.in); len(s) < 1<<10 {
			f.Add(s, len(s)/2)
		}
	}
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 1, Goroutines: true, Log: quiet})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close(f.Context()) })
	h := &Handler{Acceptor: echo(true), MaxMessage: 1000, Engine: e, Log: quiet}
	h.prepare()
	r := &http.Request{URL: &url.URL{Path: "/"}, Header: http.Header{}}

	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		at = min(max(at, 0), len(stream))
		want, code := echoes(h, stream)
		near, far := memnet.Pipe()
		defer near.Close()
		if err := e.Loops().Adopt(far, nil, newLink(h, r, shake{protocol: -1}).open); err != nil {
			t.Fatal(err)
		}
		near.SetDeadline(time.Now().Add(patience))
		go func() { // ends with the stream, or with the connection
			near.Write(stream[:at])
			near.Write(stream[at:])
			near.CloseWrite()
		}()
		answer, err := io.ReadAll(near)
		if err != nil {
			t.Fatal(err)
		}
		in := frame.Reader{Config: &frame.Config{MaxMessage: 1000}}
		var got []string
		for gotCode := 0; ; {
			ev, n, err := in.Next(answer)
			if err != nil {
				t.Fatalf("the server broke the protocol: %v", err)
			}
			answer = answer[n:]
			switch ev.Op {
			case frame.Pong: // how many depends on the cuts
				continue
			case frame.Close:
				gotCode = int(ev.Code)
				if len(answer) > 0 {
					t.Fatalf("%q behind the Close frame", answer)
				}
				continue
			case frame.None:
				if !slices.Equal(got, want) || gotCode != code || len(answer) > 0 {
					t.Fatalf("messages %q, close %d, rest %q; want %q, %d", got, gotCode, answer, want, code)
				}
				return
			}
			got = append(got, transcribe(ev))
		}
	})
}

// echoes returns what an echo server answers, and the code it closes with; 0: it does not.
func echoes(h *Handler, stream []byte) (messages []string, code int) {
	in := frame.Reader{Config: &h.reader}
	p := slices.Clone(stream)
	for {
		ev, n, err := in.Next(p)
		if err != nil {
			return messages, int(err.(*frame.Error).Code)
		}
		p = p[n:]
		switch ev.Op {
		case frame.None:
			return messages, 0
		case frame.Close:
			return messages, int(ev.Code)
		case frame.Text, frame.Binary:
			messages = append(messages, transcribe(ev))
		}
	}
}
