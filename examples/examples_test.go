// Package examples tests the programs below it: each is built, started on the
// addresses that it names, and used as its first comment says.
package examples

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	tcpAddr  = "127.0.0.1:8888"
	httpAddr = "127.0.0.1:8080"
)

// start builds an example, runs it until the test ends, and waits until it
// takes connections on addrs. The channel is closed when it has ended by itself.
func start(t *testing.T, name string, addrs []string, args ...string) (*os.Process, <-chan struct{}) {
	t.Helper()
	for _, a := range addrs {
		if c, err := net.Dial("tcp", a); err == nil {
			c.Close()
			t.Fatalf("something listens on %s already; the examples need the address", a)
		}
	}
	bin := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", bin, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var log bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("%s said: %s", name, &log)
		}
	})
	for _, a := range addrs {
		waitFor(t, a, exited)
	}
	return cmd.Process, exited
}

func waitFor(t *testing.T, addr string, exited chan struct{}) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		select {
		case <-exited:
			t.Fatalf("it ended before it listened on %s", addr)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing listens on %s", addr)
		}
	}
}

// converse writes without any framing and reads the answer, again and again.
func converse(t *testing.T, c net.Conn) {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	for i := range 100 {
		want := fmt.Sprintf("hello world %d", i)
		if _, err := io.WriteString(c, want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func converseWS(t *testing.T, url string, o *websocket.DialOptions) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	for _, m := range []struct {
		kind websocket.MessageType
		text string
	}{
		{websocket.MessageText, "hello world"},
		{websocket.MessageBinary, "\x00\xff"},
		{websocket.MessageText, ""},
		{websocket.MessageBinary, strings.Repeat("x", 30_000)},
	} {
		if err := c.Write(ctx, m.kind, []byte(m.text)); err != nil {
			t.Fatal(err)
		}
		kind, got, err := c.Read(ctx)
		if err != nil || kind != m.kind || string(got) != m.text {
			t.Fatalf("sent %v of %d bytes, got %v of %d, %v", m.kind, len(m.text), kind, len(got), err)
		}
	}
}

func TestTCPEcho(t *testing.T) {
	start(t, "tcp-echo", []string{tcpAddr})
	c, err := net.Dial("tcp", tcpAddr)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, c)
}

func TestWSEcho(t *testing.T) {
	start(t, "ws-echo", []string{httpAddr})
	converseWS(t, "ws://"+httpAddr+"/echo", nil)
}

func TestHTTPStream(t *testing.T) {
	start(t, "http-stream", []string{httpAddr})
	base := "http://" + httpAddr + "/"

	resp, err := http.Get(base)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(resp.Body)
	for range 3 {
		if line, err := r.ReadString('\n'); line != "hello world\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	resp.Body.Close() // the client leaves

	// Bounded streams share one connection.
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range 4 {
		reused := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(g httptrace.GotConnInfo) { reused = g.Reused },
		})
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+"?lines=2", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "hello world\nhello world\n" {
			t.Fatalf("got %q, %v", body, err)
		}
		if reused != (i > 0) {
			t.Errorf("stream %d: reused connection %t", i, reused)
		}
	}

	for _, method := range []string{"POST", "PUT", "DELETE", "HEAD", "OPTIONS"} {
		req, _ := http.NewRequestWithContext(t.Context(), method, base, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET" {
			t.Errorf("%s: %s, Allow %q", method, resp.Status, resp.Header.Get("Allow"))
		}
	}
}

func TestSecureEcho(t *testing.T) {
	cert, key, pool := certificate(t)
	start(t, "secure-echo", []string{tcpAddr, httpAddr}, cert, key)
	config := &tls.Config{RootCAs: pool}
	c, err := tls.Dial("tcp", tcpAddr, config)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, c)
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	converseWS(t, "wss://"+httpAddr+"/echo", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
}

// certificate writes a certificate for 127.0.0.1 and its key to files.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	pk, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(certPEM)
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, b := range map[string][]byte{
		cert: certPEM,
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk}),
	} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

func TestExamplesAreShort(t *testing.T) {
	most := map[string]int{"chat": 60, "embed": 125} // the others 40
	files, err := filepath.Glob("*/main.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n, most := bytes.Count(b, []byte{'\n'}), cmp.Or(most[filepath.Dir(f)], 40)
		if n > most {
			t.Errorf("%s has %d lines, %d are the most", f, n, most)
		}
	}
}
