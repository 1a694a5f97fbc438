//go:build linux

package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPiecesHoweverTheyCome cuts a stream at every place, and into single bytes.
func TestPiecesHoweverTheyCome(t *testing.T) {
	reply := serverFrame(finText, []byte(`{"op":"reply","id":1}`))
	message := serverFrame(finText, []byte(`{"op":"message","data":"`+strings.Repeat("a", 300)+`"}`))
	ping := serverFrame(finText, []byte(`{"op":"ping","position":"k3f9-42-t3k1c0"}`))
	long := serverFrame(finText, []byte(`{"op":"message","data":"`+strings.Repeat("a", 70_000)+`"}`))
	for _, c := range []struct {
		name   string
		size   sizer
		stream []byte
		want   int
	}{
		{"session", opSize, slices.Concat(reply, message, serverFrame(finPing, nil), ping, message, reply), 4},
		{"session, long", opSize, slices.Concat(reply, long, message), 3},
		{"raw", rawWS.size, slices.Concat(serverFrame(finBinary, payload(128)), serverFrame(finBinary, payload(1))), 2},
		{"nats", natsSize, []byte("+OK\r\nPING\r\nMSG c000001 1 3\r\nabc\r\nMSG c000001 1 0\r\n\r\nPONG\r\n"), 3},
		{"http", httpSize, []byte(strings.Repeat("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nabc", 3)), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			for cut := 1; cut <= min(len(c.stream), 1000); cut++ {
				var p pieces
				if got := countChunks(t, &p, c.size, c.stream[:cut], c.stream[cut:]); got != c.want {
					t.Fatalf("cut at %d: %d messages, want %d", cut, got, c.want)
				}
			}
			var p pieces
			if got := countChunks(t, &p, c.size, slices.Collect(slices.Chunk(c.stream, 1))...); got != c.want {
				t.Errorf("by bytes: %d messages, want %d", got, c.want)
			}
		})
	}
}

func countChunks(t *testing.T, p *pieces, size sizer, chunks ...[]byte) (msgs int) {
	t.Helper()
	for _, chunk := range chunks {
		n, err := p.count(chunk, size)
		if err != nil {
			t.Fatal(err)
		}
		msgs += n
	}
	if p.rest != 0 || len(p.head) != 0 {
		t.Fatalf("%d bytes are missing, %q is left", p.rest, p.head)
	}
	return msgs
}

// TestBadPieces: what is neither a message nor an answer fails a run, with its text.
func TestBadPieces(t *testing.T) {
	for _, c := range []struct {
		size sizer
		p    string
		want string
	}{
		{opSize, string(serverFrame(finText, []byte(`{"op":"error","code":"rate_limited"}`))), "rate_limited"},
		{opSize, string(serverFrame(finText, []byte(`{"op":"gap","channel":"c"}`))), "gap"},
		{opSize, string(serverFrame(finClose, []byte("\x03\xe8enough"))), "enough"},
		{natsSize, "-ERR 'Slow Consumer'\r\n", "Slow Consumer"},
		{httpSize, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503"},
		{httpSize, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "chunked"},
		{httpSize, strings.Repeat("a", maxHead), "no end"},
	} {
		var p pieces
		if _, err := p.count([]byte(c.p), c.size); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v, want something of %s", c.p, err, c.want)
		}
	}
}

func TestMQTTBegins(t *testing.T) {
	begin := mqtt.begin(func(int) []string { return []string{"c000007"} })[0]
	want := "\x10\x18\x00\x04MQTT\x04\x02\xea\x60\x00\x0cclient000007" + "\x82\x0c\x00\x01\x00\x07c000007\x00"
	if got := begin.say(7); string(got) != want {
		t.Errorf("says %q, want %q", got, want)
	}
	answer := []byte{0x20, 2, 0, 0, 0x90, 3, 0, 1, 0}
	for n := range len(answer) + 1 {
		if whole, err := begin.heard(answer[:n]); err != nil || whole != (n == len(answer)) {
			t.Errorf("%x is whole: %v, %v", answer[:n], whole, err)
		}
	}
	if _, err := begin.heard([]byte{0x20, 2, 0, 5}); err == nil {
		t.Error("a refusal passed")
	}
}

// TestPatternsMatchThreeEach: that is what the workload counts on.
func TestPatternsMatchThreeEach(t *testing.T) {
	const patterns, links = 3000, 7
	share := share(patterns, links)
	seen := map[string]int{}
	for i := range publishers + links {
		for _, p := range share(i) {
			seen[p]++
		}
	}
	if len(seen) != patterns {
		t.Errorf("%d different patterns, want %d", len(seen), patterns)
	}
	for g := range patterns / matching {
		channel := patternChannel(g)
		for n := matching * g; n < matching*(g+1); n++ {
			if p := pattern(n); seen[p] != 1 || !matches(p, channel) {
				t.Fatalf("%s is there %d times and matches %s: %v", p, seen[p], channel, matches(p, channel))
			}
		}
	}
}

func matches(pattern, channel string) bool {
	have := strings.Split(channel, ".")
	for i, token := range strings.Split(pattern, ".") {
		if token == ">" {
			return i < len(have)
		}
		if i >= len(have) || token != "*" && token != have[i] {
			return false
		}
	}
	return strings.Count(pattern, ".") == strings.Count(channel, ".")
}

func TestPublishFrame(t *testing.T) {
	frame := sessionWS.publish(nil, 1_000_000, channelName(1), payload(128))
	n, head := frameSize(frame)
	if head+n != len(frame) {
		t.Fatalf("a frame of %d bytes says that it has %d", len(frame), head+n)
	}
	body := bytes.Clone(frame[head:])
	xorInto(body, body, maskKey)
	want := `{"op":"publish","id":1000000,"channel":"c000001","data":"` + string(payload(128)) + `"}`
	if string(body) != want {
		t.Errorf("publishes %s, want %s", body, want)
	}
}

// A hearer wants each number once and in order, however the bytes come.
func TestHearer(t *testing.T) {
	message := func(channel string, n int) []byte {
		return serverFrame(finText, fmt.Appendf(nil, `{"op":"message","channel":%q,"position":"x","data":"%s","type":"text"}`, channel, numbered(n, 200)))
	}
	good := slices.Concat(serverFrame(finText, []byte(`{"op":"connected","id":1}`)), message("a", 0), serverFrame(finPing, nil), message("a", 1))
	for step := 1; step <= len(good); step++ {
		var h hearer
		got := 0
		for p := range slices.Chunk(good, step) {
			n, err := h.hear(p, "a")
			if err != nil {
				t.Fatalf("%d bytes at a time: %v", step, err)
			}
			got += n
		}
		if got != 2 || h.next != 2 || len(h.part) > 0 {
			t.Errorf("%d bytes at a time: %d messages, %d bytes left over", step, got, len(h.part))
		}
	}
	for name, bad := range map[string][]byte{
		"one is missing": message("a", 1), "another channel": message("b", 0), "an error": serverFrame(finText, []byte(`{"op":"error"}`)),
		"twice": slices.Concat(message("a", 0), message("a", 0)), "a gap": serverFrame(finText, []byte(`{"op":"gap","channel":"a"}`)),
	} {
		if _, err := new(hearer).hear(bad, "a"); err == nil {
			t.Errorf("%s: it is taken for good", name)
		}
	}
}
