//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

// nats-server, embedded: core NATS over plain TCP, without JetStream. Where publications are counted by their answers
// it says +OK. There is no idle memory of it: at 40 KB a connection that is another league.
func init() {
	Register(Server{
		Name: "nats-server", Workloads: []string{SessionBroadcast}, Start: startNATS, Speaks: natsDialect(false),
	})
	Register(Server{
		Name: "nats-server", Workloads: []string{SessionChat, SessionPatterns}, Start: startNATS, Speaks: natsDialect(true),
	})
}

func startNATS(o *Options) (*Running, error) {
	at, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{Host: at.Addr().String(), Port: int(at.Port()), NoLog: true, NoSigs: true})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(programPatience) {
		return nil, errors.New("nats-server does not listen")
	}
	return &Running{}, nil
}

// natsDialect is the NATS client protocol; verbose: the server says +OK to each publication.
func natsDialect(verbose bool) *dialect {
	return &dialect{
		begin: func(channels func(int) []string) []greeting {
			return []greeting{{
				say: func(i int) []byte { return appendNATSBegin(nil, verbose, channels(i)) },
				heard: func(p []byte) (bool, error) {
					if bytes.Contains(p, []byte("-ERR")) {
						return false, fmt.Errorf("the server says %.400q", p)
					}
					return bytes.HasSuffix(p, []byte("PONG\r\n")), nil
				},
			}}
		},
		size:   natsSize,
		silent: !verbose,
		publish: func(dst []byte, _ int, channel string, data []byte) []byte {
			dst = append(append(append(dst, "PUB "...), channel...), ' ')
			dst = append(strconv.AppendInt(dst, int64(len(data)), 10), "\r\n"...)
			return append(append(dst, data...), "\r\n"...)
		},
	}
}

// appendNATSBegin ends in a PING, whose PONG says that all is done. Protocol 0 keeps the server from more INFO later.
func appendNATSBegin(b []byte, verbose bool, subjects []string) []byte {
	b = fmt.Appendf(b, "CONNECT {\"verbose\":%t,\"pedantic\":false,\"lang\":\"go\",\"version\":\"1\",\"protocol\":0}\r\n", verbose)
	for i, s := range subjects {
		b = fmt.Appendf(b, "SUB %s %d\r\n", s, i+1)
	}
	return append(b, "PING\r\n"...)
}
