package longwire

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

func TestMemoryKeys(t *testing.T) {
	memTest(t, &MemoryOptions{Count: 1}, func(t *testing.T, m *memory) {
		first := Publication{Channel: "a", Key: "k", Kind: Text, ContentType: "text/x", Data: []byte("data"), From: "me", Headers: map[string]string{"h": "v"}}
		change := func(f func(p *Publication)) *Publication {
			p := first
			f(&p)
			return &p
		}
		began := time.Now()
		if p, err := m.publish(change(func(*Publication) {})); err != nil || p.Number != 1 {
			t.Fatal(p, err)
		}
		for _, tt := range []struct {
			name string
			wait time.Duration
			p    *Publication
			want uint64
			code wire.Code
		}{
			{"again", 0, &first, 1, ""},
			{"by another", 0, change(func(p *Publication) { p.From, p.Headers = "you", nil }), 1, ""},
			{"other data", 0, change(func(p *Publication) { p.Data = []byte("date") }), 0, wire.CodeKeyReused},
			{"other kind", 0, change(func(p *Publication) { p.Kind = Binary }), 0, wire.CodeKeyReused},
			{"other type", 0, change(func(p *Publication) { p.ContentType = "text/y" }), 0, wire.CodeKeyReused},
			{"moved between type and data", 0, change(func(p *Publication) { p.ContentType, p.Data = "text/xd", []byte("ata") }), 0, wire.CodeKeyReused},
			{"another channel", 0, change(func(p *Publication) { p.Channel, p.Data = "b", nil }), 2, ""},
			{"another key", 0, change(func(p *Publication) { p.Key, p.Data = "l", nil }), 3, ""},
			{"no key", 0, change(func(p *Publication) { p.Key = "" }), 4, ""},
			{"the window's end, gone from history", 2*time.Minute - 1, &first, 1, ""},
			{"after the window", 1, change(func(p *Publication) { p.Data = []byte("new") }), 5, ""},
			{"the new one", 2*time.Minute - 1, change(func(p *Publication) { p.Data = []byte("new") }), 5, ""},
			{"the old one", 0, &first, 0, wire.CodeKeyReused},
			{"after the second window", 1, &first, 6, ""},
		} {
			time.Sleep(tt.wait)
			last := m.log.last
			p := *tt.p
			got, err := m.publish(&p)
			if code := wire.CodeOf(err); code != tt.code {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.code)
				continue
			}
			if err != nil {
				continue
			}
			if got.Number != tt.want || string(got.Data) != string(tt.p.Data) {
				t.Errorf("%s: number %d with %q, want %d", tt.name, got.Number, got.Data, tt.want)
			}
			if known := got.Number <= last; known != (got != &p) {
				t.Errorf("%s: it became number %d of %d", tt.name, got.Number, m.log.last)
			}
			if got.Number == 1 && (got.Epoch != m.epoch || !got.Time.Equal(began) || got.From != "me" || got.Headers["h"] != "v") {
				t.Errorf("%s: %+v is not the first", tt.name, got)
			}
		}
		if got, want := memHistory(t, m, &Range{Channels: []string{"a"}}), "a5 a6"; got != want {
			t.Errorf("history %q, want %q", got, want)
		}
	})
}

func TestMemoryKeysOff(t *testing.T) {
	memTest(t, &MemoryOptions{KeyWindow: -1}, func(t *testing.T, m *memory) {
		for i := range 2 {
			if p, err := m.publish(&Publication{Channel: "a", Key: "k"}); err != nil || p.Number != uint64(i+1) {
				t.Error(p, err)
			}
		}
	})
}

// TestMemoryKeysFull refuses rather than forget a key.
func TestMemoryKeysFull(t *testing.T) {
	memTest(t, &MemoryOptions{Bytes: 40_000}, func(t *testing.T, m *memory) {
		n := 0
		for ; n < 1000; n++ {
			if _, err := m.publish(&Publication{Channel: "a", Key: fmt.Sprint(n)}); err != nil {
				if wire.CodeOf(err) != wire.CodeOverloaded {
					t.Error(err)
				}
				break
			}
		}
		if n < 20 || n > 40 {
			t.Errorf("%d keys in 10,000 bytes", n)
		}
		for i := range n {
			if p, err := m.publish(&Publication{Channel: "a", Key: fmt.Sprint(i)}); err != nil || p.Number != uint64(i+1) {
				t.Errorf("key %d: %v, %v", i, p, err)
			}
		}
		memPut(t, m, "a")
		time.Sleep(memKeyWindow)
		if _, err := m.publish(&Publication{Channel: "a", Key: "late"}); err != nil {
			t.Error(err)
		}
	})
}

// TestMemoryKeyUsedAgain uses a key again before its first use is swept.
func TestMemoryKeyUsedAgain(t *testing.T) {
	o := MemoryOptions{}.filled()
	s := newMemKeys(&o)
	p, sum := &Publication{Channel: "a", Key: "k"}, memSum{}
	s.add(p, &sum, 0)
	if first, err := s.find(p, &sum, memKeyWindow); first != nil || err != nil {
		t.Errorf("after the window there is %v, %v", first, err)
	}
	p.Number = 2
	s.add(p, &sum, memKeyWindow)
	if !s.sweep(memKeyWindow, 2) {
		t.Error("there is more to sweep")
	}
	if first, err := s.find(p, &sum, memKeyWindow); first == nil || first.Number != 2 || err != nil {
		t.Errorf("there is %v, %v", first, err)
	}
}

func TestMemoryKeysAtOnce(t *testing.T) {
	const publishers, keys = 8, 200
	m := NewMemory(nil).(*memory)
	defer m.Close(t.Context())
	var wg sync.WaitGroup
	numbers := [publishers][keys]uint64{}
	for i := range publishers {
		wg.Go(func() {
			for k := range keys {
				p, err := m.publish(&Publication{Channel: "a", Key: fmt.Sprint(k), Data: []byte{byte(k)}})
				if err != nil {
					t.Error(err)
					return
				}
				numbers[i][k] = p.Number
			}
		})
	}
	wg.Wait()
	for i := range publishers {
		if numbers[i] != numbers[0] {
			t.Fatalf("publishers 0 and %d were told different numbers", i)
		}
	}
	if m.log.last != keys {
		t.Errorf("%d publications of %d keys", m.log.last, keys)
	}
}
