package linktest_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/linktest"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/wire"
)

func TestSSE(t *testing.T) { linktest.Run(t, sse("sse", false)) }

func TestSSEOverTLS(t *testing.T) { linktest.Run(t, sse("sse over tls", true)) }

func TestNDJSON(t *testing.T) { linktest.Run(t, ndjson) }

func sse(name string, secure bool) linktest.Way {
	return linktest.Way{
		Name: name, Transport: "sse", Kinds: []longwire.Kind{longwire.Text, longwire.Binary}, Without: "\r",
		Codes: true, Reasons: true, Posts: true, TLS: secure, Target: target, Header: header,
		Serve: serveStream(secure, "text/event-stream", readSSE),
	}
}

var ndjson = linktest.Way{
	Name: "ndjson", Transport: "ndjson", Kinds: []longwire.Kind{longwire.Text, longwire.Binary, longwire.JSON},
	Codes: true, Reasons: true, Posts: true, Target: target, Header: header,
	Serve: serveStream(false, "application/x-ndjson", readNDJSON),
}

func streamHandler(t *testing.T, o linktest.Options) http.Handler {
	h := &stream.Handler{
		Acceptor: o.Acceptor, Engine: o.Engine, MaxMessage: o.MaxMessage, PollWithin: o.Forget, Upstream: true, Log: quiet,
	}
	t.Cleanup(func() { h.Shutdown(t.Context()) })
	return h
}

func serveStream(secure bool, accept string, read reading) func(*testing.T, linktest.Options) func() (linktest.Client, error) {
	return func(t *testing.T, o linktest.Options) func() (linktest.Client, error) {
		addr, roots := serveHTTP(t, streamHandler(t, o), secure)
		return func() (linktest.Client, error) {
			conn, raw, err := dialHTTP(addr, roots)
			if err != nil {
				return nil, err
			}
			c := &streamClient{conn: conn, tcp: raw, read: read, up: newPoster(addr, roots)}
			if err := c.get(accept); err != nil {
				c.Cut()
				return nil, err
			}
			return c, nil
		}
	}
}

// A reading reads the next message of a stream.
type reading func(r *bufio.Reader) (longwire.Kind, []byte, error)

// A streamClient reads a response, and talks back by requests.
type streamClient struct {
	conn net.Conn
	tcp  *net.TCPConn
	in   *bufio.Reader
	read reading
	up   *poster
}

// get asks for the stream and reads the head of the response.
func (c *streamClient) get(accept string) error {
	_, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nX-Linktest: %s\r\nAccept: %s\r\n\r\n", target, header, accept)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c.conn), nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return problem(resp)
	}
	c.in = bufio.NewReader(resp.Body)
	c.up.meet(resp.Header)
	return nil
}

func (c *streamClient) Send(kind longwire.Kind, p []byte) error { return c.up.post(kind, p) }

func (c *streamClient) Receive() (longwire.Kind, []byte, error) {
	kind, p, err := c.read(c.in)
	if _, ok := errors.AsType[*longwire.Close](err); ok {
		if n, err := io.Copy(io.Discard, c.in); n > 0 || err != nil {
			return 0, nil, fmt.Errorf("behind the last words came %d bytes, %v", n, err)
		}
	}
	return kind, p, err
}

// Close leaves as a browser does: by the end of the connection.
func (c *streamClient) Close() error {
	err := c.conn.(interface{ CloseWrite() error }).CloseWrite()
	io.Copy(io.Discard, c.in)
	c.conn.Close()
	c.up.close()
	return err
}

func (c *streamClient) Cut() {
	c.tcp.SetLinger(0)
	c.tcp.Close()
	c.up.close()
}

func (c *streamClient) Addresses() (local, remote string) {
	return c.tcp.LocalAddr().String(), c.tcp.RemoteAddr().String()
}

// readSSE reads events as WHATWG HTML section 9.2.6 says.
func readSSE(r *bufio.Reader) (longwire.Kind, []byte, error) {
	name, data, some := "", []byte(nil), false
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return 0, nil, err
		}
		line = line[:len(line)-1]
		if len(line) > 0 {
			field, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch string(field) {
			case "event":
				name = string(value)
			case "data":
				data, some = append(append(data, value...), '\n'), true
			}
			continue
		}
		if !some || name == "open" {
			name, data, some = "", nil, false
			continue
		}
		data = data[:len(data)-1]
		switch name {
		case "":
			return longwire.Text, data, nil
		case "binary":
			p, err := base64.StdEncoding.DecodeString(string(data))
			return longwire.Binary, p, err
		case "close":
			return 0, nil, closeOf(data)
		}
		return 0, nil, fmt.Errorf("an event named %q", name)
	}
}

// readNDJSON reads lines of JSON.
func readNDJSON(r *bufio.Reader) (longwire.Kind, []byte, error) {
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return 0, nil, err
		}
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > 0 {
			if bytes.HasPrefix(line, []byte(`{"op":"close"`)) {
				return 0, nil, closeOf(line)
			}
			return valueOf(line)
		}
	}
}

// valueOf is the message that a JSON value stands for.
func valueOf(p []byte) (longwire.Kind, []byte, error) {
	if !json.Valid(p) {
		return 0, nil, fmt.Errorf("not JSON: %.80q", p)
	}
	if p[0] == '"' {
		var s string
		err := json.Unmarshal(p, &s)
		return longwire.Text, []byte(s), err
	}
	if strings.HasPrefix(string(p), `{"data64":`) {
		var b struct{ Data64 []byte }
		err := json.Unmarshal(p, &b)
		return longwire.Binary, b.Data64, err
	}
	return longwire.JSON, p, nil
}

// closeOf reads last words.
func closeOf(p []byte) error {
	var c struct {
		Code   wire.Code
		Reason string
	}
	if err := json.Unmarshal(p, &c); err != nil {
		return err
	}
	return &longwire.Close{Code: c.Code, Reason: c.Reason}
}

// problem reads a refusal (RFC 9457).
func problem(resp *http.Response) error {
	var p struct {
		Code   wire.Code
		Detail string
	}
	b, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(b, &p); err != nil || p.Code.Status() != resp.StatusCode {
		return fmt.Errorf("status %s: %s", resp.Status, b)
	}
	return &longwire.Close{Code: p.Code, Reason: p.Detail}
}
