package linktest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/testcert"
)

// What HTTP clients of the suite ask for, and say in X-Linktest.
const (
	target = "/links/a?b=c"
	header = "a header of the request"
)

// serveHTTP serves h until t ends, with TLS or without.
func serveHTTP(t *testing.T, h http.Handler, secure bool) (addr string, roots *x509.CertPool) {
	t.Helper()
	ln, err := longwire.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	served := make(chan error, 1)
	if secure {
		var cert tls.Certificate
		cert, roots = testcert.New(t)
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		go func() { served <- srv.ServeTLS(ln, "", "") }()
	} else {
		go func() { served <- srv.Serve(ln) }()
	}
	t.Cleanup(func() {
		srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String(), roots
}

// tlsConfig is a client's. The curve is one in assembly because the race detector
// makes the others take longer than all else in these tests.
func tlsConfig(roots *x509.CertPool, protocols ...string) *tls.Config {
	return &tls.Config{
		RootCAs: roots, ServerName: "localhost", NextProtos: protocols, CurvePreferences: []tls.CurveID{tls.CurveP256},
	}
}

// dialHTTP connects, with TLS if roots is not nil, and the protocols that shall
// be offered then.
func dialHTTP(addr string, roots *x509.CertPool, protocols ...string) (net.Conn, *net.TCPConn, error) {
	raw, err := dialTCP(addr)
	if err != nil || roots == nil {
		return raw, raw, err
	}
	conn := tls.Client(raw, tlsConfig(roots, protocols...))
	if err := conn.Handshake(); err != nil {
		raw.Close()
		return nil, nil, err
	}
	return conn, raw, nil
}
