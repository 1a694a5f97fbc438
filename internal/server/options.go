package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/origin"
	"github.com/longwire/longwire/internal/park"
)

// Options say what to serve and where.
type Options struct {
	// HTTP and TCP are the addresses to listen on, such as "127.0.0.1:8080".
	// Empty or "off" does without.
	HTTP, TCP string
	// TLSCert and TLSKey are PEM files. With them everything is TLS.
	TLSCert, TLSKey string
	// Insecure permits to listen wider than loopback although nobody is asked
	// who he is.
	Insecure bool
	// AllowOrigin lists the origins of pages that may use the server from
	// another host: "https://example.com", "https://*.example.com",
	// "http://localhost:*", "null", "*". Empty means the server's own pages and,
	// while it listens on loopback, those of localhost on any port.
	AllowOrigin []string
	// ResumeWindow is how long a session without a link waits for its client to
	// come back. Zero means 30 s, negative not at all.
	ResumeWindow time.Duration
	// Rate bounds the frames that a session may send in a second. Zero means
	// 10,000, negative is no bound.
	Rate int
	// Store is where what is published is kept, and for how long.
	Store Store
	// ShutdownTimeout is how long clients may take to hear that the server
	// ends. Zero means 10 s.
	ShutdownTimeout time.Duration
	// Log is the server's. Nil means slog.Default().
	Log *slog.Logger
}

// A UsageError says that the options make no sense, whatever the state of the
// machine.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// address resolves the value of a flag. A nil address means off.
func address(ctx context.Context, flag, value string) (*net.TCPAddr, error) {
	if value == "" || value == "off" {
		return nil, nil
	}
	const form = "write host:port, for instance 127.0.0.1:8080, :8080 for every interface, or off"
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return nil, usage("--%s %q is no address; %s", flag, value, form)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, usage("--%s %q has no valid port (0 to 65535, 0 for any); %s", flag, value, form)
	} else if host == "" {
		return &net.TCPAddr{Port: int(n)}, nil
	}
	addr, err := resolve(ctx, value)
	if err != nil {
		return nil, usage("--%s %q: the host is not known (%v); %s", flag, value, err, form)
	}
	return addr, nil
}

// resolve is net.ResolveTCPAddr with a context.
func resolve(ctx context.Context, value string) (*net.TCPAddr, error) {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	ip := ips[0]
	for _, other := range ips { // as the net package does: IPv4 first
		if other.IP.To4() != nil {
			ip = other
			break
		}
	}
	n, err := strconv.Atoi(port)
	return &net.TCPAddr{IP: ip.IP, Port: n, Zone: ip.Zone}, err
}

// wide reports whether others than this machine can reach the address.
func wide(a *net.TCPAddr) bool { return a != nil && !a.IP.IsLoopback() }

// listen opens what address resolved.
func listen(ctx context.Context, flag string, a *net.TCPAddr) (*park.Listener, error) {
	ln, err := park.Listen(ctx, "tcp", a.String(), nil)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program; stop that, or choose another address: --%s %s",
			a, flag, &net.TCPAddr{IP: a.IP, Port: max((a.Port+1)%65536, 1), Zone: a.Zone})
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s may not be listened on (%w); choose a port over 1023: --%s", a, err, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine; choose another: --%s", a, flag)
	}
	return nil, fmt.Errorf("listening for --%s: %w", flag, err)
}

// checkNumbers looks at what cannot be.
func (o *Options) checkNumbers() error {
	if o.ShutdownTimeout < 0 {
		return usage("--shutdown-timeout %v is negative; write a duration such as 10s", o.ShutdownTimeout)
	}
	return nil
}

// origins returns the list of the pages that may use the server beside its own.
func (o *Options) origins(loopback bool) ([]string, error) {
	if len(o.AllowOrigin) == 0 && loopback {
		return []string{"loopback"}, nil
	}
	if _, errs := origin.ParseList(o.AllowOrigin); len(errs) > 0 {
		return nil, usage("--allow-origin %v", errs[0])
	}
	return o.AllowOrigin, nil
}

// nodeOptions returns what the server's node is made with. It is open: whoever can reach
// the server may do everything, which is why that is this machine unless Insecure
// is set.
func (s *Server) nodeOptions() *longwire.Options {
	o := &s.opts
	return &longwire.Options{
		Open: true, Broker: s.broker, Engine: s.engine, Log: s.log,
		ResumeWindow: o.ResumeWindow, Rate: o.Rate, AllowOrigin: o.AllowOrigin,
	}
}

// loadTLS returns nil without a certificate.
func (o *Options) loadTLS() (*tls.Config, error) {
	switch {
	case o.TLSCert == "" && o.TLSKey == "":
		return nil, nil
	case o.TLSKey == "":
		return nil, usage("--tls-cert needs --tls-key, the file with its private key")
	case o.TLSCert == "":
		return nil, usage("--tls-key needs --tls-cert, the file with the certificate")
	}
	cert, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("loading --tls-cert and --tls-key (both PEM): %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// httpTLS is what HTTP is served with. net/http also serves HTTP/1.0, but does
// not name it, and a client that offers nothing else (curl --http1.0) would
// be refused in the handshake.
func (s *Server) httpTLS() *tls.Config {
	c := s.tls.Clone()
	if c != nil {
		c.NextProtos = []string{"h2", "http/1.1", "http/1.0"}
	}
	return c
}
