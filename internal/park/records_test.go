package park

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// A recordWriter writes TLS 1.3 records by hand, for what crypto/tls clients
// do not do: key updates (RFC 8446, sections 4.6.3, 5.2 and 7). It takes over
// from a client that has written nothing since its handshake.
type recordWriter struct {
	w      io.Writer
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func newRecordWriter(t *testing.T, c *tls.Conn, w io.Writer, keyLog string) *recordWriter {
	t.Helper()
	if id := c.ConnectionState().CipherSuite; id != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("records are written by hand for TLS_AES_128_GCM_SHA256 only, not %s", tls.CipherSuiteName(id))
	}
	for line := range strings.Lines(keyLog) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			r := &recordWriter{w: w}
			r.use(secret)
			return r
		}
	}
	t.Fatalf("no secret in %q", keyLog)
	return nil
}

func (r *recordWriter) use(secret []byte) {
	block, err := aes.NewCipher(expand(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	if r.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	r.secret, r.iv, r.seq = secret, expand(secret, "iv", 12), 0
}

func expand(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "+label+"\x00"...)
	b, err := hkdf.Expand(sha256.New, secret, string(info), n)
	if err != nil {
		panic(err)
	}
	return b
}

func (r *recordWriter) record(kind byte, p []byte) error {
	inner := append(append([]byte(nil), p...), kind)
	head := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+r.aead.Overhead()))
	nonce := append([]byte(nil), r.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(r.seq >> (56 - 8*i))
	}
	r.seq++
	_, err := r.w.Write(r.aead.Seal(head, nonce, inner, head))
	return err
}

func (r *recordWriter) data(p []byte) error { return r.record(23, p) }

// keyUpdate updates the sending keys, and asks the peer to update its own.
func (r *recordWriter) keyUpdate(ask bool) error {
	msg := []byte{24, 0, 0, 1, 0}
	if ask {
		msg[4] = 1
	}
	err := r.record(22, msg)
	r.use(expand(r.secret, "traffic upd", sha256.Size))
	return err
}

func echoes(s *loop.Sock, _ Peer) *script {
	h := newScript(s)
	h.read = func(p []byte) int { s.Write(p); return len(p) }
	return h
}

// A peer that updates its keys, and makes us update ours, goes on.
func TestKeyUpdate(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		var log strings.Builder
		cfg := clientTLS(tls.VersionTLS13)
		cfg.KeyLogWriter = &log
		tc, raw, _ := tlsPair(t, g, serverTLS(t), cfg, false, echoes)
		w := newRecordWriter(t, tc, raw, log.String())
		for range 100 {
			w.keyUpdate(true)
			w.data([]byte("hello"))
			wantRead(t, tc, "hello")
			w.keyUpdate(false)
			w.data([]byte("world"))
			wantRead(t, tc, "world")
		}
	})
}

// Key updates without end and without data are refused by crypto/tls.
func TestKeyUpdateFlood(t *testing.T) {
	g := newGroup(t, nil)
	var log strings.Builder
	cfg := clientTLS(tls.VersionTLS13)
	cfg.KeyLogWriter = &log
	tc, raw, h := tlsPair(t, g, serverTLS(t), cfg, false, quiet)
	w := newRecordWriter(t, tc, raw, log.String())
	for range 100 {
		if w.keyUpdate(false) != nil {
			break
		}
	}
	if err := <-h.closed; err == nil || !strings.Contains(err.Error(), "non-advancing") {
		t.Errorf("closed: %v", err)
	}
	if _, err := io.ReadAll(tc); err == nil || !strings.Contains(err.Error(), "unexpected message") {
		t.Errorf("the peer is not told: %v", err) // the alert left before the cut
	}
}

// Peers that are not written in Go: OpenSSL's, by hand.
func TestOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	pollers(t, func(t *testing.T, g *loop.Group) {
		bystander, _, _ := tlsPair(t, g, serverTLS(t), clientTLS(tls.VersionTLS13), false, echoes)
		for _, tt := range []struct {
			name, version, command string
			lives                  bool
		}{
			{"key update, both", "-tls1_3", "K", true},
			{"key update, its own", "-tls1_3", "k", true},
			{"renegotiation", "-tls1_2", "R", false},
		} {
			t.Run(tt.name, func(t *testing.T) {
				ln := WrapListener(listen(t), nil)
				served := make(chan error, 1)
				opened := make(chan *script, 1)
				go func() {
					served <- ln.Serve(g, &Door{TLS: serverTLS(t), Open: func(_ time.Time, s *loop.Sock, p Peer) loop.Handler {
						h := echoes(s, p)
						opened <- h
						return h
					}})
				}()
				cmd := exec.Command(program, "s_client", "-connect", ln.Addr().String(), tt.version)
				in, _ := cmd.StdinPipe()
				out, _ := cmd.StdoutPipe()
				errs, _ := cmd.StderrPipe()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				h := <-opened
				lines, told := bufio.NewScanner(out), bufio.NewScanner(errs)
				await := func(lines *bufio.Scanner, line string) {
					t.Helper()
					for lines.Scan() {
						if lines.Text() == line {
							return
						}
					}
					t.Fatalf("no line %q", line)
				}
				say := func(line string) {
					t.Helper()
					io.WriteString(in, line+"\n")
					await(lines, line)
				}
				say("before")
				io.WriteString(in, tt.command+"\n")
				if tt.lives {
					await(told, "KEYUPDATE") // what one read of its brings is one command
					say("after")
					in.Close()
				} else if err := <-h.closed; err == nil {
					t.Error("a renegotiation was not refused")
				}
				in.Close()
				cmd.Process.Kill()
				cmd.Wait()
				ln.Close()
				if err := <-served; err != nil {
					t.Error(err)
				}
				io.WriteString(bystander, "unharmed")
				wantRead(t, bystander, "unharmed")
			})
		}
	})
}
