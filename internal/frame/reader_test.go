package frame

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestIdleReaderIsSmall(t *testing.T) {
	if got := reflect.TypeFor[Reader]().Size(); got > 24 {
		t.Errorf("a Reader has %d bytes: every idle connection pays for them", got)
	}
}

func TestZeroReaderIsAClient(t *testing.T) {
	var r Reader
	ev, n, err := r.Next(AppendMessage(nil, Text, []byte("hi")))
	if ev.Op != Text || string(ev.Data) != "hi" || n != 4 || err != nil {
		t.Errorf("got %+v, %d, %v", ev, n, err)
	}
	big := AppendHeader(nil, Header{Fin: true, Op: Binary, Length: DefaultMaxMessage + 1})
	if _, _, err := r.Next(big); err != error(errTooBig) {
		t.Errorf("over the default limit: %v", err)
	}
}

func TestWholeFrameIsNotCopied(t *testing.T) {
	p := AppendMasked(nil, Binary, 0x01020304, []byte("payload"))
	p = AppendMasked(p, Binary, 0x01020304, []byte("next"))
	r := Reader{Config: &Config{Server: true}}
	ev, n, err := r.Next(p)
	if err != nil || string(ev.Data) != "payload" {
		t.Fatalf("got %q, %v", ev.Data, err)
	}
	if &ev.Data[0] != &p[6] || n != 13 {
		t.Errorf("data is a copy, or %d bytes are not the frame's", n)
	}
	_ = append(ev.Data, "overrun"...)
	if ev, _, err := r.Next(p[n:]); err != nil || string(ev.Data) != "next" {
		t.Errorf("appending to data changed the next frame: %q, %v", ev.Data, err)
	}
}

func TestNoAllocationForWholeFrames(t *testing.T) {
	var stream []byte
	for _, op := range []Opcode{Text, Binary, Ping, Pong} {
		stream = AppendMasked(stream, op, 0x0A0B0C0D, []byte("a small frame"))
	}
	p, r := make([]byte, len(stream)), Reader{Config: &Config{Server: true}}
	if got := testing.AllocsPerRun(100, func() {
		copy(p, stream)
		for rest := p; ; {
			ev, n, err := r.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; ev.Op == None {
				break
			}
		}
	}); got != 0 {
		t.Errorf("receiving: %v allocations", got)
	}
	dst := make([]byte, 0, 256)
	if got := testing.AllocsPerRun(100, func() {
		AppendMessage(dst, Text, p[:20])
		AppendMasked(dst, Text, 1, p[:20])
		AppendClose(dst, CloseGoingAway, "bye")
		AppendMaskedClose(dst, CloseGoingAway, "bye", 1)
	}); got != 0 {
		t.Errorf("sending: %v allocations", got)
	}
}

func TestNoAllocationForRefusal(t *testing.T) {
	p := AppendMessage(nil, Text, []byte("not masked"))
	cfg := &Config{Server: true}
	if got := testing.AllocsPerRun(100, func() {
		r := Reader{Config: cfg}
		r.Next(p)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestDeclaredLengthTakesNoMemory(t *testing.T) {
	r := Reader{}
	p := AppendHeader(nil, Header{Fin: true, Op: Binary, Length: DefaultMaxMessage})
	r.Next(append(p, "a few bytes"...))
	if got := cap(r.mid.buf); got > maxKept {
		t.Errorf("a buffer of %d bytes", got)
	}
}

func TestBufferGrowsWithWhatArrives(t *testing.T) {
	r := Reader{}
	r.Next(AppendHeader(nil, Header{Fin: true, Op: Binary, Length: DefaultMaxMessage}))
	piece, copies, last := make([]byte, 1000), 0, 0
	for sent := 0; ; {
		n := min(len(piece), DefaultMaxMessage-sent)
		ev, _, err := r.Next(piece[:n])
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		if got := cap(r.mid.buf); got != last {
			copies, last = copies+1, got
		}
		if most := max(2*sent+sent/4, maxKept); last > most {
			t.Fatalf("after %d bytes a buffer of %d", sent, last)
		}
		if ev.Op == Binary {
			break
		}
	}
	if last != DefaultMaxMessage || copies > 12 {
		t.Errorf("%d bytes at the end, after %d copies", last, copies)
	}
}

func TestManySmallFragmentsAreNotCopiedOften(t *testing.T) {
	r := Reader{}
	copies, last := 0, 0
	for _, f := range fragments(Binary, strings.Repeat("x", 1<<19), 64) {
		f.first &^= finBit
		if _, _, err := r.Next(f.encode(false, [4]byte{})); err != nil {
			t.Fatal(err)
		}
		if got := cap(r.mid.buf); got != last {
			copies, last = copies+1, got
		}
	}
	if copies > 16 {
		t.Errorf("%d copies", copies)
	}
}

func TestNothingIsHeldAtRest(t *testing.T) {
	t.Run("after a message", func(t *testing.T) {
		var r Reader
		p := encodeAll([]sent{first(Text, "a"), last("b")}, false)
		if ev, _, _ := r.Next(p); string(ev.Data) != "ab" {
			t.Fatalf("got %q", ev.Data)
		}
		r.Next(nil)
		if r.mid != nil {
			t.Error("still held when asked for more")
		}
	})
	t.Run("after an error", func(t *testing.T) {
		var r Reader
		r.Next(encodeAll([]sent{first(Text, "a"), text("b")}, false))
		if r.mid != nil || !r.ended {
			t.Error("still held")
		}
	})
	t.Run("after release", func(t *testing.T) {
		var r Reader
		r.Next(encodeAll([]sent{first(Text, "a")}, false))
		if r.mid == nil {
			t.Fatal("nothing to release")
		}
		r.Release()
		r.Release()
		if r.mid != nil {
			t.Error("still held")
		}
		if ev, n, err := r.Next([]byte("anything")); ev.Op != None || n != 8 || err != nil {
			t.Errorf("got %+v, %d, %v", ev, n, err)
		}
	})
	t.Run("large buffers", func(t *testing.T) {
		m := &partial{buf: make([]byte, 10, maxKept+1)}
		m.recycle()
		if m.buf != nil {
			t.Error("back in the pool")
		}
	})
}

// TestInterleavedReaders has many readers in the middle of messages at once, so that state from the pool which is
// shared, or not cleared, shows.
func TestInterleavedReaders(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	type peer struct {
		r         Reader
		stream, p []byte
		got, want []string
	}
	cfg := &Config{Server: true}
	peers := make([]*peer, 20)
	for i := range peers {
		c := &peer{r: Reader{Config: cfg}}
		for n := range 30 {
			data := strings.Repeat(fmt.Sprint(i, n, "☺"), 1+random.IntN(30))
			op := []Opcode{Text, Binary}[random.IntN(2)]
			c.stream = append(c.stream, encodeAll(fragments(op, data, 1+random.IntN(50)), true)...)
			c.want = append(c.want, transcribe(op, false, 0, []byte(data)))
		}
		peers[i] = c
	}
	for open := len(peers); open > 0; {
		c := peers[random.IntN(len(peers))]
		if len(c.stream) == 0 {
			continue
		}
		n := min(1+random.IntN(100), len(c.stream))
		c.p, c.stream = append(slices.Clone(c.p), c.stream[:n]...), c.stream[n:]
		for {
			ev, n, err := c.r.Next(c.p)
			if err != nil {
				t.Fatal(err)
			}
			if c.p = c.p[n:]; ev.Op == None {
				break
			}
			c.got = append(c.got, transcribe(ev.Op, ev.Compressed, ev.Code, ev.Data))
		}
		if len(c.stream) == 0 {
			open--
		}
	}
	for i, c := range peers {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("peer %d: got %q, want %q", i, c.got, c.want)
		}
	}
}

func FuzzReader(f *testing.F) {
	for i, c := range conformanceCases() {
		for _, server := range []bool{true, false} {
			if stream := encodeAll(c.in, server); len(stream) < 2000 {
				f.Add(stream, server, c.deflate, uint16(max(c.max, 0)), uint64(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, server, deflate bool, most uint16, seed uint64) {
		cfg := &Config{Server: server, AllowRSV1: deflate, MaxMessage: int(most)}
		want := reference(stream, cfg)
		random := rand.New(rand.NewPCG(seed, 0))
		for _, size := range []func() int{
			func() int { return len(stream) },
			func() int { return 1 },
			func() int { return 1 + random.IntN(20) },
		} {
			if got := receive(t, cfg, cut(bytes.Clone(stream), size)); !slices.Equal(got, want) {
				t.Fatalf("%+v, %x:\n got %q\nwant %q", *cfg, stream, got, want)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, bench := range []struct {
		name        string
		op          Opcode
		size, count int
		piece       int // 0: all at once
	}{
		{"text of 32, 100 at once", Text, 32, 100, 0},
		{"binary of 1024, 10 at once", Binary, 1024, 10, 0},
		{"text of 65536, whole", Text, 65536, 1, 0},
		{"text of 65536, in pieces of 4096", Text, 65536, 1, 4096},
		{"binary of 1 MiB, in pieces of 65536", Binary, 1 << 20, 1, 65536},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var stream []byte
			for range bench.count {
				stream = AppendMasked(stream, bench.op, 0x1A2B3C4D, bytes.Repeat([]byte{'x'}, bench.size))
			}
			piece := bench.piece
			if piece == 0 {
				piece = len(stream)
			}
			p, r := make([]byte, len(stream)), Reader{Config: &Config{Server: true}}
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				copy(p, stream)
				messages, start := 0, 0
				for end := 0; end < len(p); {
					end = min(end+piece, len(p))
					for {
						ev, n, err := r.Next(p[start:end])
						if start += n; err != nil {
							b.Fatal(err)
						}
						if ev.Op == None {
							break
						}
						messages++
					}
				}
				if messages != bench.count {
					b.Fatal(messages, "messages")
				}
			}
		})
	}
}
