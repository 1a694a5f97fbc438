package ws

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/longwire/longwire/internal/frame"
)

// The suite runs over real sockets against an echo server. Its sections are
// numbered after those of the Autobahn suite; from 20 on they are our own. The
// codec alone has a finer one, in internal/frame; here is what a whole server
// must answer.

// A sent is one frame as a client sends it, right or wrong.
type sent struct {
	first   byte // FIN, RSV and opcode
	payload string
	length  string // the length field as it stands, instead of the right one
	bare    bool   // not masked
	lack    int    // bytes at the end of the payload that never come
}

func whole(op frame.Opcode, payload string) sent {
	return sent{first: 0x80 | byte(op), payload: payload}
}
func first(op frame.Opcode, payload string) sent { return sent{first: byte(op), payload: payload} }
func more(payload string) sent                   { return first(frame.Continuation, payload) }
func last(payload string) sent                   { return whole(frame.Continuation, payload) }
func text(payload string) sent                   { return whole(frame.Text, payload) }
func octets(payload string) sent                 { return whole(frame.Binary, payload) }
func ping(payload string) sent                   { return whole(frame.Ping, payload) }
func pong(payload string) sent                   { return whole(frame.Pong, payload) }
func rsv(bits byte, s sent) sent                 { s.first |= bits << 4; return s }
func unmasked(s sent) sent                       { s.bare = true; return s }
func lacking(n int, s sent) sent                 { s.lack = n; return s }
func lengthField(raw string, s sent) sent        { s.length = raw; return s }
func bye(code int, reason string) sent {
	return whole(frame.Close, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func fragments(op frame.Opcode, payload string, size int) []sent {
	list := []sent{}
	for len(payload) > size {
		list = append(list, more(payload[:size]))
		payload = payload[size:]
	}
	list = append(list, last(payload))
	list[0].first |= byte(op)
	return list
}

// encode is written apart from internal/frame, so that it can show it wrong.
func (s sent) encode(key [4]byte) []byte {
	length := []byte(s.length)
	if s.length == "" {
		switch n := len(s.payload); {
		case n < 126:
			length = []byte{byte(n)}
		case n < 1<<16:
			length = []byte{126, byte(n >> 8), byte(n)}
		default:
			length = []byte{127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		}
	}
	body := []byte(s.payload[:len(s.payload)-s.lack])
	if s.bare {
		return slices.Concat([]byte{s.first}, length, body)
	}
	length[0] |= 0x80
	for i := range body {
		body[i] ^= key[i%4]
	}
	return slices.Concat([]byte{s.first}, length, key[:], body)
}

func encode(frames []sent) (stream []byte) {
	keys := rand.New(rand.NewPCG(6, 455))
	for _, f := range frames {
		k := keys.Uint32()
		stream = append(stream, f.encode([4]byte{byte(k), byte(k >> 8), byte(k >> 16), byte(k >> 24)})...)
	}
	return stream
}

// A conformanceCase is what a client sends and what must come back. Pongs stand
// apart: some may be left out, and their place among the messages is open.
type conformanceCase struct {
	id, name string
	in       []sent
	data     []string // the messages, as transcribe tells them
	code     int      // the Close frame that answers; zero: the link goes on
}

const suiteMaxMessage = 1 << 20

func TestConformance(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			s := serve(t, &Handler{Acceptor: echo(mode.onLoop), MaxMessage: suiteMaxMessage}, mode.secure)
			for _, c := range conformanceCases() {
				if mode.secure && !mode.onLoop && (c.id[0] == '6' || c.id[0] == '7') {
					continue // tried in the three other modes, and a handshake each is dear
				}
				t.Run(c.id+" "+c.name, func(t *testing.T) {
					stream := encode(c.in)
					random := rand.New(rand.NewPCG(uint64(len(stream)), 1))
					most := 1 + random.IntN(len(stream))
					if mode.secure { // each connection costs a handshake
						c.run(t, s, stream, mode.onLoop, func() int { return 1 + random.IntN(most) })
						return
					}
					c.run(t, s, stream, mode.onLoop, func() int { return len(stream) })
					c.run(t, s, stream, mode.onLoop, func() int { return 1 + random.IntN(most) })
					if len(stream) < 300 && mode.onLoop {
						c.run(t, s, stream, true, func() int { return 1 })
					}
				})
			}
		})
	}
}

func (cc *conformanceCase) run(t *testing.T, s *httptest.Server, stream []byte, onLoop bool, size func() int) {
	t.Helper()
	c := dial(t, s, nil)
	go func() { // ends with the stream, or with the connection
		for left := stream; len(left) > 0; {
			n := min(len(left), size())
			if _, err := c.conn.Write(left[:n]); err != nil {
				return
			}
			left = left[n:]
		}
	}()
	pings, asked := cc.pings()
	var data, pongs []string
	for cc.code == 0 && (len(data) < len(cc.data) || asked && !slices.Contains(pongs, pings[len(pings)-1])) {
		if got := c.next(); strings.HasPrefix(got, "pong ") {
			pongs = append(pongs, got)
		} else {
			data = append(data, got)
		}
	}
	if cc.code == 0 {
		c.conn.(interface{ CloseWrite() error }).CloseWrite()
	}
	end := c.next()
	for end != "end" && end != "cut" && !strings.HasPrefix(end, "close ") {
		if strings.HasPrefix(end, "pong ") {
			pongs = append(pongs, end)
		} else {
			data = append(data, end)
		}
		end = c.next()
	}
	switch {
	case cc.code == 0 && end != "end":
		t.Errorf("the end was %s, want no Close frame", end)
	case cc.code != 0 && !strings.HasPrefix(end, fmt.Sprintf("close %d ", cc.code)):
		t.Errorf("the end was %s, want close %d", end, cc.code)
	case cc.code != 0:
		c.want("end")
	}
	// A handler on its goroutine may hear of the end before it has answered.
	if !slices.Equal(data, cc.data) && (onLoop || cc.code == 0 || !slices.Equal(data, cc.data[:min(len(data), len(cc.data))])) {
		t.Errorf("messages %q, want %q", data, cc.data)
	}
	if !subsequence(pongs, pings) || asked && !slices.Contains(pongs, pings[len(pings)-1]) {
		t.Errorf("pongs %q to pings %q", pongs, pings)
	}
}

// pings returns the pongs that all pings ask for, and whether there are any.
func (cc *conformanceCase) pings() (list []string, asked bool) {
	for _, f := range cc.in {
		switch {
		case f.first == 0x88 || f.first&0x70 != 0 || f.bare || f.length != "" || f.first&0x0f > 10:
			return list, len(list) > 0
		case f.first == 0x89 && len(f.payload) <= frame.MaxControl && f.lack == 0:
			list = append(list, transcribe(frame.Event{Op: frame.Pong, Data: []byte(f.payload)}))
		}
	}
	return list, len(list) > 0
}

func subsequence(part, of []string) bool {
	for _, p := range part {
		i := slices.Index(of, p)
		if i < 0 {
			return false
		}
		of = of[i+1:]
	}
	return true
}

func long(kind, data string) []string {
	if len(data) <= 200 {
		return []string{fmt.Sprintf("%s %q", kind, data)}
	}
	return []string{kind + " " + summary(len(data), crc32.ChecksumIEEE([]byte(data)))}
}

// A reset must not overtake our last words, whatever the client still sends.
func TestCloseIsDrained(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			s := serve(t, &Handler{Acceptor: echo(mode.onLoop)}, mode.secure)
			for _, bad := range []sent{bye(1000, ""), whole(3, ""), text("\xff"), lengthField("\x7f\x40\x00\x00\x00\x00\x00\x00\x00", octets(""))} {
				c := dial(t, s, nil)
				junk := append(encode([]sent{bad}), make([]byte, 256<<10)...)
				if mode.secure {
					junk = junk[:8<<10] // crypto/tls tells of what it could not read
				}
				c.write(junk)
				if got := c.next(); !strings.HasPrefix(got, "close ") {
					t.Errorf("got %s, want a Close frame", got)
				}
				c.want("end")
			}
		})
	}
}
