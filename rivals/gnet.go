//go:build linux

package main

import (
	"github.com/panjf2000/gnet/v2"
)

func init() {
	Register(Server{Name: "gnet", Workloads: []string{TCPEcho, IdleTCP}, Start: startGnet})
}

type gnetEcho struct {
	gnet.BuiltinEventEngine
	booted chan struct{}
}

func (s *gnetEcho) OnBoot(gnet.Engine) gnet.Action {
	close(s.booted)
	return gnet.None
}

func (s *gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	p, err := c.Next(-1)
	if err == nil {
		_, err = c.Write(p)
	}
	if err != nil {
		return gnet.Close
	}
	return gnet.None
}

func startGnet(o *Options) (*Running, error) {
	s := &gnetEcho{booted: make(chan struct{})}
	failed := make(chan error, 1)
	go func() { // until the process ends
		failed <- gnet.Run(s, "tcp://"+o.Addr, gnet.WithMulticore(true), gnet.WithLogger(silent{}))
	}()
	select {
	case err := <-failed:
		return nil, err
	case <-s.booted:
		return &Running{}, nil
	}
}

// silent swallows gnet's log, which otherwise goes to standard output, where the control lines are.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
