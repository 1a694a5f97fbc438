package linktest_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/testcert"
	"github.com/longwire/longwire/linktest"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/wire"
)

var quiet = slog.New(slog.DiscardHandler)

func TestTCP(t *testing.T) {
	for _, w := range []linktest.Way{tcpRaw, tcpLines, tcpUint32, tcpVarint, tcpOwn()} {
		t.Run(w.Name, func(t *testing.T) { linktest.Run(t, w) })
	}
}

func TestTLS(t *testing.T) { linktest.Run(t, tlsLines) }

var (
	tcpRaw = linktest.Way{
		Name: "raw", Transport: "tcp", NoBoundaries: true, NoEmpty: true,
		Kinds: []longwire.Kind{longwire.Binary},
		Serve: serveTCP(tcp.Raw, nil, rawCodec{}),
	}
	tcpLines = linktest.Way{
		Name: "lines", Transport: "tcp", Kinds: []longwire.Kind{longwire.Text}, Without: "\r\n",
		Codes: true, Reasons: true,
		Serve: serveTCP(tcp.Lines, farewell, lineCodec{}),
	}
	tcpUint32 = linktest.Way{
		Name: "uint32", Transport: "tcp", Kinds: []longwire.Kind{longwire.Binary},
		Serve: serveTCP(tcp.Uint32, nil, uint32Codec{}),
	}
	tcpVarint = linktest.Way{
		Name: "varint", Transport: "tcp", Kinds: []longwire.Kind{longwire.Binary},
		Serve: serveTCP(tcp.Varint, nil, varintCodec{}),
	}
	tlsLines = linktest.Way{
		Name: "tls", Transport: "tcp", Kinds: []longwire.Kind{longwire.Text}, Without: "\r\n", TLS: true,
		Codes: true, Reasons: true,
		Serve: serveTLS(tcp.Lines, farewell, lineCodec{}),
	}
)

// tcpOwn is a framing that a user wrote: a colon behind the length in decimal, like
// a netstring, and a letter for the kind.
func tcpOwn() linktest.Way {
	var framed atomic.Int64
	w := linktest.Way{
		Name: "own", Transport: "tcp", Kinds: []longwire.Kind{longwire.Text},
		Framed: framed.Load,
	}
	w.Serve = func(t *testing.T, o linktest.Options) func() (linktest.Client, error) {
		own := &tcp.Framing{
			Name: "netstrings",
			Kind: longwire.Text,
			Next: nextNetstring,
			Append: func(dst []byte, kind longwire.Kind, p []byte) []byte {
				if strings.HasSuffix(t.Name(), "/broadcast") {
					framed.Add(1)
				}
				return appendNetstring(dst, p)
			},
		}
		return serveTCP(own, nil, netstringCodec{})(t, o)
	}
	return w
}

// farewell is a last line that tells why.
func farewell(c *longwire.Close) []byte {
	code := c.Code
	if code == "" {
		code = wire.CodeNormal
	}
	return []byte(bye + string(code) + " " + c.Text())
}

const bye = "!bye "

func serveTCP(f *tcp.Framing, farewell func(*longwire.Close) []byte, c codec) func(*testing.T, linktest.Options) func() (linktest.Client, error) {
	return func(t *testing.T, o linktest.Options) func() (linktest.Client, error) {
		addr := listenTCP(t, &tcp.Server{
			Acceptor: o.Acceptor, Engine: o.Engine, MaxMessage: o.MaxMessage, Framing: f, Farewell: farewell, Log: quiet,
		})
		return func() (linktest.Client, error) {
			conn, err := dialTCP(addr)
			if err != nil {
				return nil, err
			}
			return newTCPClient(conn, conn, c), nil
		}
	}
}

func serveTLS(f *tcp.Framing, farewell func(*longwire.Close) []byte, c codec) func(*testing.T, linktest.Options) func() (linktest.Client, error) {
	return func(t *testing.T, o linktest.Options) func() (linktest.Client, error) {
		cert, roots := testcert.New(t)
		addr := listenTCP(t, &tcp.Server{
			Acceptor: o.Acceptor, Engine: o.Engine, MaxMessage: o.MaxMessage, Framing: f, Farewell: farewell, Log: quiet,
			TLS: &tls.Config{Certificates: []tls.Certificate{cert}},
		})
		return func() (linktest.Client, error) {
			raw, err := dialTCP(addr)
			if err != nil {
				return nil, err
			}
			conn := tls.Client(raw, tlsConfig(roots))
			if err := conn.Handshake(); err != nil {
				raw.Close()
				return nil, err
			}
			return newTCPClient(conn, raw, c), nil
		}
	}
}

func listenTCP(t *testing.T, srv *tcp.Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-served; !errors.Is(err, tcp.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// dialTCP connects with small buffers, so that little is soon enough to fill
// them. They hold a few of the loopback's segments, which have 64 KiB.
func dialTCP(addr string) (*net.TCPConn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 256<<10)
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10)
		})
	}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// A codec is a framing as a client has it, written without a look at ours.
type codec interface {
	append(dst, p []byte) []byte
	// read returns io.EOF at an end between messages.
	read(r *bufio.Reader) ([]byte, error)
	kind() longwire.Kind
}

// A tcpClient is a connection with a codec.
type tcpClient struct {
	conn  net.Conn
	tcp   *net.TCPConn
	codec codec
	in    *bufio.Reader
}

func newTCPClient(conn net.Conn, tcp *net.TCPConn, c codec) *tcpClient {
	return &tcpClient{conn: conn, tcp: tcp, codec: c, in: bufio.NewReader(conn)}
}

func (c *tcpClient) Send(_ longwire.Kind, p []byte) error {
	_, err := c.conn.Write(c.codec.append(nil, p))
	return err
}

func (c *tcpClient) Receive() (longwire.Kind, []byte, error) {
	p, err := c.codec.read(c.in)
	if text, ok := bytes.CutPrefix(p, []byte(bye)); ok && err == nil {
		if _, err := c.in.ReadByte(); err != io.EOF {
			return 0, nil, errors.New("there is more behind the farewell")
		}
		code, reason, _ := strings.Cut(string(text), " ")
		return 0, nil, &longwire.Close{Code: wire.Code(code), Reason: reason}
	}
	return c.codec.kind(), p, err
}

func (c *tcpClient) CloseWrite() error {
	return c.conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *tcpClient) Close() error {
	err := c.CloseWrite()
	if err == nil {
		_, err = io.Copy(io.Discard, c.in)
	}
	return errors.Join(err, c.conn.Close())
}

func (c *tcpClient) Cut() {
	c.tcp.SetLinger(0)
	c.tcp.Close()
}

func (c *tcpClient) Addresses() (local, remote string) {
	return c.tcp.LocalAddr().String(), c.tcp.RemoteAddr().String()
}

type rawCodec struct{}

func (rawCodec) append(dst, p []byte) []byte { return append(dst, p...) }
func (rawCodec) kind() longwire.Kind         { return longwire.Binary }
func (rawCodec) read(r *bufio.Reader) ([]byte, error) {
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	p := make([]byte, r.Buffered())
	_, err := io.ReadFull(r, p)
	return p, err
}

type lineCodec struct{}

func (lineCodec) append(dst, p []byte) []byte { return append(append(dst, p...), '\n') }
func (lineCodec) kind() longwire.Kind         { return longwire.Text }
func (lineCodec) read(r *bufio.Reader) ([]byte, error) {
	p, err := r.ReadBytes('\n')
	if err == io.EOF && len(p) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimSuffix(p, []byte("\n")), err
}

type uint32Codec struct{}

func (uint32Codec) kind() longwire.Kind { return longwire.Binary }
func (uint32Codec) append(dst, p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(p))), p...)
}
func (uint32Codec) read(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	return readBody(r, uint64(binary.BigEndian.Uint32(head[:])))
}

type varintCodec struct{}

func (varintCodec) kind() longwire.Kind { return longwire.Binary }
func (varintCodec) append(dst, p []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p))), p...)
}
func (varintCodec) read(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	return readBody(r, n)
}

type netstringCodec struct{}

func (netstringCodec) kind() longwire.Kind         { return longwire.Text }
func (netstringCodec) append(dst, p []byte) []byte { return appendNetstring(dst, p) }
func (netstringCodec) read(r *bufio.Reader) ([]byte, error) {
	var n uint64
	for {
		b, err := r.ReadByte()
		switch {
		case err != nil:
			return nil, err
		case b == ':':
			return readBody(r, n)
		case b < '0' || b > '9':
			return nil, errors.New("not a netstring")
		}
		n = 10*n + uint64(b-'0')
	}
}

func readBody(r io.Reader, n uint64) ([]byte, error) {
	if n > 64<<20 {
		return nil, errors.New("a length without sense")
	}
	p := make([]byte, n)
	_, err := io.ReadFull(r, p)
	if err == io.EOF && n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}
