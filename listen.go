package longwire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"

	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// Listen announces on a TCP address such as "127.0.0.1:8080". Serve an
// http.Server on it, with Serve or ServeTLS: its connections can be parked on
// event loops once they are WebSockets or streams, TLS included. When no
// descriptors are left, those who connect are told with status 503, and
// accepting goes on as soon as some are free again.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	ln, err := park.Listen(ctx, "tcp", addr, nil)
	if err != nil {
		return nil, err // it says what is wrong with which address
	}
	return ln, nil
}

// WrapListener gives a listener of one's own what one made by [Listen] has.
// It must lie beneath TLS: wrap it before tls.NewListener does.
func WrapListener(ln net.Listener) net.Listener { return park.WrapListener(ln, nil) }

// ListenAndServe is http.ListenAndServe on a listener made by [Listen], with 10
// seconds for a client to send a request's header. A nil handler means
// http.DefaultServeMux.
func ListenAndServe(addr string, h http.Handler) error {
	ln, err := Listen(context.Background(), addr)
	if err != nil {
		return err
	}
	return server(h).Serve(ln)
}

// ListenAndServeTLS is ListenAndServe with TLS, from the files of a
// certificate and its key, for HTTP/1.1 and HTTP/2. Handshakes have 10 seconds,
// and at most four per core are computed at once.
func ListenAndServeTLS(addr, certFile, keyFile string, h http.Handler) error {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("longwire: loading the certificate and its key (both PEM): %w", err)
	}
	ln, err := park.Listen(context.Background(), "tcp", addr, nil)
	if err != nil {
		return err
	}
	srv := server(h)
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	return srv.Serve(ln.TLS(srv.TLSConfig))
}

func server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: wire.HandshakeTimeout}
}
