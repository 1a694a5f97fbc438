package server

import "github.com/longwire/longwire/transport/tcp"

// newTCP is the door of those who speak frames over TCP.
func (s *Server) newTCP() *tcp.Server {
	t := tcp.Session(s.node)
	t.TLS = s.tls
	t.HTTP = s.HTTPURL()
	return t
}
