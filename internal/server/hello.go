package server

import (
	"fmt"
	"net"
	"strings"
)

// HTTPURL returns the address of the HTTP server as a browser wants it, empty
// if it is off.
func (s *Server) HTTPURL() string { return s.url("http") }

func (s *Server) url(scheme string) string {
	if s.httpLn == nil {
		return ""
	}
	if s.tls != nil {
		scheme += "s"
	}
	return scheme + "://" + reachable(s.httpLn.Addr())
}

// TCPAddr returns the address of the TCP server, empty if it is off.
func (s *Server) TCPAddr() string {
	if s.tcpLn == nil {
		return ""
	}
	return reachable(s.tcpLn.Addr())
}

// reachable returns an address that can be connected to from this machine.
func reachable(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	if t.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(t.Port))
	}
	return t.String()
}

// A Way is one way in, with a line to paste into a shell.
type Way struct{ Name, Line string }

// Ways returns a line for each way in: those that read, then those that publish.
func (s *Server) Ways() (read, publish []Way) {
	const channel = "news"
	curl, npx := s.curl(), "npx -y wscat"
	if s.tls != nil {
		npx += " --no-check"
	}
	if url := s.HTTPURL(); url != "" {
		read = append(read,
			Way{"Server-Sent Events", fmt.Sprintf("%s -N -H 'Accept: text/event-stream' %s/channels/%s", curl, url, channel)},
			Way{"NDJSON", fmt.Sprintf("%s -N %s/channels/%s", curl, url, channel)},
			Way{"long-poll", fmt.Sprintf("%s '%s/channels/%s?wait=30s'", curl, url, channel)},
			Way{"WebSocket", fmt.Sprintf("%s -c %s/channels/%s", npx, s.url("ws"), channel)})
		publish = append(publish,
			Way{"HTTP", fmt.Sprintf(`%s -d '{"hello":"world"}' %s/channels/%s`, curl, url, channel)})
	}
	if addr := s.TCPAddr(); addr != "" {
		host, port, _ := net.SplitHostPort(addr)
		nc := "nc " + host + " " + port
		ncOnce := "nc -w 1 " + host + " " + port
		if s.tls != nil {
			nc = "openssl s_client -quiet -connect " + addr
			ncOnce = "timeout 1 " + nc
		}
		read = append(read,
			Way{"TCP", fmt.Sprintf(`echo '{"op":"subscribe","id":1,"channel":"%s"}' | %s`, channel, nc)})
		publish = append(publish,
			Way{"TCP", fmt.Sprintf(`echo '{"op":"publish","id":1,"channel":"%s","data":"hello"}' | %s`, channel, ncOnce)})
	}
	return read, publish
}

func (s *Server) curl() string {
	if s.tls != nil {
		return "curl -k" // whoever the certificate is for, here it is this machine
	}
	return "curl"
}

// Hello returns what a person wants to see once the server listens.
func (s *Server) Hello() string {
	var b strings.Builder
	if url := s.HTTPURL(); url != "" {
		fmt.Fprintf(&b, "longwire: HTTP on %s (open it in a browser)\n", url)
	}
	if addr := s.TCPAddr(); addr != "" {
		what := "JSON lines"
		if s.tls != nil {
			what += " over TLS"
		}
		fmt.Fprintf(&b, "longwire: TCP on %s (%s)\n", addr, what)
	}
	read, publish := s.Ways()
	for _, part := range []struct {
		title string
		ways  []Way
	}{{"Read, each in a terminal of its own:", read}, {"Publish:", publish}} {
		fmt.Fprintf(&b, "\n%s\n", part.title)
		for _, way := range part.ways {
			fmt.Fprintf(&b, "  %-20s%s\n", way.Name, way.Line)
		}
	}
	if url := s.HTTPURL(); url != "" {
		fmt.Fprintf(&b, "\nWhat was said before:\n  %-20s%s %s/channels/news/history\n", "history", s.curl(), url)
	}
	return b.String()
}
