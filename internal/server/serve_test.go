package server

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// modes is how a server may be reached.
var modes = []struct {
	name   string
	secure bool
}{{"plain", false}, {"tls", true}}

func options(t testing.TB, secure bool) *Options {
	o := &Options{HTTP: "127.0.0.1:0", TCP: "127.0.0.1:0"}
	if secure {
		o.TLSCert, o.TLSKey = certificate(t)
	}
	return o
}

// certificate makes a certificate for 127.0.0.1.
func certificate(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret)
}

// join opens every way in that stays open, subscribed to news.
func (r *running) join() (readers []*peer) {
	r.t.Helper()
	for _, p := range []*peer{r.tcpPeer(), r.wsPeer("/connect")} {
		p.send(`{"op":"subscribe","id":7,"channel":"news"}`)
		if f := p.frame(); f.Op != "reply" || f.ID != 7 || f.Channel != "news" || f.Position == "" {
			r.t.Fatalf("%s: subscribing was answered with %+v", p.name, f)
		}
		readers = append(readers, p)
	}
	return append(readers, r.wsPeer("/channels/news"), r.streamPeer("news", "text/event-stream"), r.streamPeer("news", "application/x-ndjson"))
}

// TestEverybodyHears is the main job: what one client says, by whichever way
// in, reaches all others, on all of them, in one order.
func TestEverybodyHears(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			r := start(t, options(t, mode.secure))
			readers := r.join()
			polled := make(chan []byte, 1)
			go func() { // the test waits for its answer
				_, _, p := r.do("GET", "/channels/news?wait=20s", "")
				polled <- p
			}()
			r.subscribers("news", len(readers)+1)

			speakTCP, speakWS := r.tcpPeer(), r.wsPeer("/connect")
			var positions []string
			speakTCP.send(`{"op":"publish","id":1,"channel":"news","data":{"n": 1.50, "s":"<é>"}}`)
			positions = append(positions, speakTCP.frame().Position)
			speakWS.send(`{"op":"publish","id":2,"channel":"news","type":"text","data":"two\nlines \"quoted\" \u0001"}`)
			positions = append(positions, speakWS.frame().Position)
			f := r.post("news", "application/octet-stream", "\x00\xff")
			positions = append(positions, f.Position)
			if *f.Subscribers != len(readers) {
				t.Errorf("%d subscribers, want %d", *f.Subscribers, len(readers))
			}
			for _, p := range readers {
				for i, want := range []frame{
					{Data: json.RawMessage(`{"n":1.50,"s":"<é>"}`)},
					{Type: "text", Data: json.RawMessage(`"two\nlines \"quoted\" \u0001"`)},
					{Data64: "AP8="},
				} {
					got := p.frame()
					if got.Op != "message" || got.Channel != "news" || got.Position != positions[i] || got.Type != want.Type ||
						string(got.Data) != string(want.Data) || got.Data64 != want.Data64 {
						t.Errorf("%s: message %d is %+v, want %+v", p.name, i, got, want)
					}
					if at, err := time.Parse("2006-01-02T15:04:05.000Z", got.Time); err != nil || time.Since(at).Abs() > time.Minute {
						t.Errorf("%s: time %q", p.name, got.Time)
					}
				}
			}
			var answer struct{ Messages []frame }
			if err := json.Unmarshal(<-polled, &answer); err != nil || len(answer.Messages) == 0 || answer.Messages[0].Position != positions[0] {
				t.Errorf("long-poll: %+v %v", answer, err)
			}
		})
	}
}

// Who comes back gets what it missed, and a position is good on any way in.
func TestResume(t *testing.T) {
	r := start(t, nil)
	first := r.post("news", "text/plain", "1")
	r.post("news", "text/plain", "2")
	since := `"channel":"news","since":"` + first.Position + `"`
	lines := r.tcpPeer()
	lines.send(`{"op":"subscribe","id":1,` + since + `}`)
	if f := lines.frame(); f.Op != "reply" {
		t.Errorf("%+v", f)
	}
	for _, p := range []*peer{lines, r.wsPeer("/channels/news?since=" + first.Position), r.streamPeer("news?since="+first.Position, "application/x-ndjson")} {
		if f := p.frame(); f.Op != "message" || string(f.Data) != `"2"` {
			t.Errorf("%s: %+v", p.name, f)
		}
	}
	_, _, body := r.do("GET", "/channels/news/history?since="+first.Position, "")
	if !strings.Contains(string(body), `"data":"2"`) || strings.Contains(string(body), `"data":"1"`) {
		t.Errorf("history: %s", body)
	}
}

// A client that has finished writing, as printf … | nc -N has, goes on receiving.
func TestHalfClosed(t *testing.T) {
	r := start(t, nil)
	c := r.dialTCP()
	fmt.Fprint(c, `{"op":"subscribe","id":1,"channel":"news"}`) // not even a line end
	c.(*net.TCPConn).CloseWrite()
	r.subscribers("news", 1)
	r.post("news", "text/plain", "still there?")
	buf := make([]byte, 64<<10)
	n := 0
	for !strings.Contains(string(buf[:n]), "still there?") {
		m, err := c.Read(buf[n:])
		if err != nil {
			t.Fatalf("%v after %q", err, buf[:n])
		}
		n += m
	}
}

// A burst larger than a connection's queue reaches whoever reads.
func TestBurst(t *testing.T) {
	const total = 250
	r := start(t, nil)
	readers := r.join()
	p := r.tcpPeer()
	var b strings.Builder
	for i := range total {
		fmt.Fprintf(&b, `{"op":"publish","channel":"news","data":"%d%s"}`+"\n", i, strings.Repeat("x", 200))
	}
	go p.send(strings.TrimSuffix(b.String(), "\n")) // the replies below end it
	for range total {
		p.frame()
	}
	for _, reader := range readers {
		for i := range total {
			if f := reader.frame(); f.Op != "message" || !strings.HasPrefix(string(f.Data), fmt.Sprintf(`"%dx`, i)) {
				t.Fatalf("%s: message %d is %.80s %+v", reader.name, i, f.Data, f)
			}
		}
	}
}

// One who does not read disturbs nobody, and gets from history what it could not
// take.
func TestSlowReader(t *testing.T) {
	r := start(t, nil)
	slow := r.wsPeer("/channels/news")
	quick := r.streamPeer("news", "application/x-ndjson")
	body := strings.Repeat("x", 256<<10)
	const total = 40 // 14 MiB as base64: more than kernel and link hold together
	for range total {
		r.post("news", "application/octet-stream", body)
		if f := quick.frame(); f.Op != "message" {
			t.Fatalf("the quick reader got %s", f.Op)
		}
	}
	r.post("news", "text/plain", "last")
	for i := range total + 1 {
		if f := slow.frame(); f.Op != "message" || (f.Type == "text") != (i == total) {
			t.Fatalf("message %d is %s of type %q", i, f.Op, f.Type)
		}
	}
}

// When the server ends, everybody is told, in the words of his transport.
func TestShutdown(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			r := start(t, options(t, mode.secure))
			readers := r.join()
			polled := make(chan []byte, 1)
			go func() { // the test waits for its answer
				_, _, p := r.do("GET", "/channels/news?wait=20s", "")
				polled <- p
			}()
			r.subscribers("news", len(readers)+1)
			stopped := make(chan struct{})
			go func() { // waited for below
				defer close(stopped)
				r.stop()
			}()
			for _, p := range readers {
				f := parseFrame(t, []byte(p.ends()))
				want := "draining"
				if strings.HasPrefix(p.name, "ws") {
					want = "4000"
				} else if f.Retry == nil || *f.Retry < 500 {
					t.Errorf("%s: no time to come back in %+v", p.name, f)
				}
				if f.Op != "close" || f.Code != want || f.Reason == "" {
					t.Errorf("%s: the last frame is %+v, want close %s", p.name, f, want)
				}
				p.conn.Close()
			}
			var answer struct {
				Messages []frame
				Close    frame
			}
			if err := json.Unmarshal(<-polled, &answer); err != nil || answer.Close.Code != "draining" {
				t.Errorf("long-poll: %+v %v", answer, err)
			}
			<-stopped
			if r.err != nil {
				t.Errorf("Run returned %v", r.err)
			}
			if _, err := net.Dial("tcp", r.TCPAddr()); err == nil {
				t.Error("the TCP port is still open")
			}
		})
	}
}

// A client that has not said anything yet, or is in the middle of its TLS handshake or
// of its first request's header, is not waited for.
func TestShutdownBeforeTheFirstRequest(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			r := start(t, options(t, mode.secure))
			for _, url := range []string{r.HTTPURL(), "tcp://" + r.TCPAddr()} {
				for _, said := range []string{"", "GET /channels/news HTTP/1.1\r\nHo"} {
					_, addr, _ := strings.Cut(url, "://")
					c, err := net.Dial("tcp", addr)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					fmt.Fprint(c, said)
				}
			}
			r.do("GET", "/healthz", "") // they were accepted before
			began := time.Now()
			r.stop()
			if took := time.Since(began); r.err != nil || took > 3*time.Second { // net/http would wait for 5 s
				t.Errorf("ending took %v, and ended with %v", took, r.err)
			}
		})
	}
}

// Whoever is in the middle of a body is not waited for: a batch is answered as far as
// it came, and what is half sent is not to be used.
func TestShutdownInTheMiddleOfABody(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			o := options(t, mode.secure)
			o.ShutdownTimeout = time.Hour // stop has less patience
			r := start(t, o)
			session := r.wsPeer("/connect")
			session.send(`{"op":"connect","id":1}`)
			connected := struct{ Session, Secret string }{}
			s, err := session.next()
			if err == nil {
				err = json.Unmarshal([]byte(s), &connected)
			}
			if err != nil {
				t.Fatal(err)
			}
			var half []net.Conn
			for _, request := range []string{
				"POST /channels/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain",
				"POST /channels/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson",
				"POST /connect HTTP/1.1\r\nHost: localhost",
				"POST /connect/" + connected.Session + " HTTP/1.1\r\nHost: localhost\r\nLongwire-Secret: " + connected.Secret,
				"POST /channels/a..b HTTP/1.1\r\nHost: localhost",
				"POST /channels/x HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example",
				"POST /channels/x HTTP/1.1\r\nHost: evil.example",
				"GET /healthz HTTP/1.1\r\nHost: localhost",
			} {
				c := r.dialHTTP()
				fmt.Fprint(c, request+"\r\nContent-Length: 1000\r\n\r\n{")
				half = append(half, c)
			}
			batch := r.dialHTTP()
			fmt.Fprint(batch, "POST /channels/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{\"data\":1}\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(batch), nil)
			if err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool { // until all of them are heard of
				r.fresh.mu.Lock()
				defer r.fresh.mu.Unlock()
				return len(r.fresh.conns) == 0
			})
			stopped := make(chan struct{})
			go func() { // waited for below
				defer close(stopped)
				r.stop()
			}()
			session.ends()
			session.conn.Close()
			lines, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			if first, last, _ := strings.Cut(string(lines), "\n"); parseFrame(t, []byte(first)).Position == "" || parseFrame(t, []byte(last)).Code != "draining" {
				t.Errorf("the batch was answered %s", lines)
			}
			for i, c := range half {
				p, err := io.ReadAll(c)
				if want := []string{"draining", "draining", "draining", "draining", "bad_channel", "bad_origin", "bad_host", "ok"}[i]; err != nil || !strings.Contains(string(p), want) {
					t.Errorf("body %d: %v: %s", i, err, p)
				}
			}
			<-stopped
			if strings.Contains(r.log.String(), "did not hear that the server ends") {
				t.Error("it was ended by force")
			}
		})
	}
}

// A client that does not react does not hold up the end for longer than the deadline.
func TestShutdownDeadline(t *testing.T) {
	o := options(t, false)
	o.ShutdownTimeout = 50 * time.Millisecond
	r := start(t, o)
	r.wsPeer("/channels/news") // never answers the Close frame
	r.subscribers("news", 1)
	begun := time.Now()
	r.stop()
	if d := time.Since(begun); r.err != nil || d > 5*time.Second {
		t.Errorf("it took %v and ended with %v", d, r.err)
	}
}

// Nor do those who have stopped reading, whatever they came by.
func TestShutdownStuck(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			o := options(t, mode.secure)
			o.ShutdownTimeout = 100 * time.Millisecond
			r := start(t, o)
			r.join() // with TLS the streams are those of HTTP/2
			poll := r.dialHTTP()
			fmt.Fprint(poll, "GET /channels/news?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n")
			batch := r.dialHTTP()
			fmt.Fprint(batch, "POST /channels/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
			r.subscribers("news", 6)
			for range 20 { // more than kernels and windows hold
				r.post("news", "text/plain", strings.Repeat("x", 1<<20))
			}
			begun := time.Now()
			r.stop()
			if d := time.Since(begun); r.err != nil || d > 5*time.Second {
				t.Errorf("it took %v and ended with %v", d, r.err)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	r := start(t, nil)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if status, _, p := r.do("GET", path, ""); status != http.StatusOK || string(p) != want {
			t.Errorf("%s: %d %q", path, status, p)
		}
	}
	r.ending.Store(true)
	if status, _, p := r.do("GET", "/readyz", ""); status != http.StatusServiceUnavailable || parseFrame(t, p).Code != "draining" {
		t.Errorf("/readyz of a server that ends: %d %s", status, p)
	}
}
