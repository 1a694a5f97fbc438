package memnet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		name      string
		end       func(c *Conn)
		read      string // what the peer still reads
		readErr   error
		writeErr  error // what the peer's next write says; nil: it works
		localRead error
	}{
		{"half close", func(c *Conn) { c.CloseWrite() }, "last", io.EOF, nil, os.ErrDeadlineExceeded},
		{"close", func(c *Conn) { c.Close() }, "last", io.EOF, syscall.EPIPE, net.ErrClosed},
		{"cut", (*Conn).Cut, "", syscall.ECONNRESET, syscall.ECONNRESET, net.ErrClosed},
		{"freeze", (*Conn).Freeze, "last", os.ErrDeadlineExceeded, nil, os.ErrDeadlineExceeded},
		{"frozen and closed", func(c *Conn) { c.Freeze(); c.Close() }, "last", os.ErrDeadlineExceeded, nil, net.ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := Pipe()
				c.Write([]byte("last"))
				tt.end(c)
				peer.SetReadDeadline(time.Now().Add(time.Hour))
				got, err := io.ReadAll(peer)
				if err == nil {
					err = io.EOF
				}
				if string(got) != tt.read || !errors.Is(err, tt.readErr) {
					t.Errorf("peer read %q, %v; want %q, %v", got, err, tt.read, tt.readErr)
				}
				c.SetReadDeadline(time.Now().Add(time.Hour))
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, tt.localRead) {
					t.Errorf("local read: %v, want %v", err, tt.localRead)
				}
				if _, err := peer.Write([]byte("x")); !errors.Is(err, tt.writeErr) {
					t.Errorf("peer write: %v, want %v", err, tt.writeErr)
				}
			})
		})
	}
}

func TestUnreadBytesReset(t *testing.T) {
	c, peer := Pipe()
	peer.Write([]byte("unread"))
	c.Write([]byte("last words"))
	c.Close()
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want ECONNRESET", err)
	}
}

func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe()
		c.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := c.Write(make([]byte, 1<<20))
		if n != maxStreamBytes || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v; want %d and a timeout", n, err, maxStreamBytes)
		}
		c.SetWriteDeadline(time.Time{})
		done := make(chan error)
		go func() {
			_, err := c.Write(make([]byte, 1<<20))
			c.Close()
			done <- err
		}()
		got, err := io.Copy(io.Discard, peer)
		if want := int64(maxStreamBytes + 1<<20); got != want || err != nil {
			t.Errorf("read %d, %v; want %d", got, err, want)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPastDeadlineEndsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := Pipe()
		done := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		c.SetReadDeadline(time.Unix(1, 0))
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen("example:80")
		for range maxBacklog {
			if _, err := l.Dial(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial with a full backlog: %v", err)
		}
		c, err := l.Accept()
		if err != nil || c.LocalAddr().String() != "example:80" {
			t.Fatal(c, err)
		}
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after close: %v", err)
		}
		if _, err := l.Dial(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial after close: %v", err)
		}
	})
}

// TestHTTP runs net/http over the network, plain and with TLS, through a
// hijack, which needs SetReadDeadline to end a Read that waits.
func TestHTTP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				w.Write(b)
			})
			mux.HandleFunc("GET /hijack", func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Hour)
				io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nbye")
				c.Close()
			})
			ln := Listen("127.0.0.1:80")
			server := &http.Server{Handler: mux}
			var accept net.Listener = ln
			if secure {
				accept = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
			}
			go server.Serve(accept)
			defer server.Close()
			tr := &http.Transport{
				DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return ln.Dial(ctx) },
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			}
			defer tr.CloseIdleConnections()
			url := map[bool]string{false: "http://x", true: "https://x"}[secure]
			body := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
			res, err := (&http.Client{Transport: tr}).Post(url+"/echo", "text/plain", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, body) {
				t.Errorf("echo: %d bytes, %v", len(got), err)
			}
			res.Body.Close()
			if res, err = (&http.Client{Transport: tr}).Get(url + "/hijack"); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(res.Body); err != nil || string(got) != "bye" {
				t.Errorf("hijacked: %q, %v", got, err)
			}
			res.Body.Close()
		})
	}
}

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
