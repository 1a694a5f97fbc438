//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"
)

// The workloads a server can stand in, and what each asks of the server at Options.Addr. Nothing here reads the
// request path; the client asks for "/".
const (
	TCPEcho   = "tcp-echo"  // sends every byte back
	WSEcho    = "ws-echo"   // WebSocket: sends every message back as the same kind
	IdleTCP   = "idle-tcp"  // as TCPEcho
	IdleWS    = "idle-ws"   // as WSEcho
	IdleSSE   = "idle-sse"  // GET answers a text/event-stream that stays open
	IdleTLS   = "idle-tls"  // TCPEcho over TLS with Options.CertPEM and KeyPEM
	IdleCPU   = "idle-cpu"  // WebSocket: pings each link every Options.PingEvery
	Broadcast = "broadcast" // WebSocket: Running.Publish sends one binary message to every link that has had a pong
	Accept    = "accept"    // as WSEcho; only upgrades are made

	// Sessions that subscribe to channels. How that is said is Server.Speaks.
	SessionIdleTCP   = "session-idle-tcp"
	SessionIdleWS    = "session-idle-ws"
	SessionBroadcast = "session-broadcast" // one channel; without Speaks.publish by Running.Publish, as Broadcast
	SessionChat      = "session-chat"      // a channel for each pair of sessions, one of which publishes
	SessionPatterns  = "session-patterns"  // patterns, three of which match a publication
	SessionFan       = "session-fan"       // one channel, a few sessions or many
	SessionCall      = "session-call"      // calls, each answered by its data; or WSEcho

	// Sessions of a server that keeps history in files.
	FilesIdleTCP = "files-idle-tcp" // as SessionIdleTCP
	FilesIdleWS  = "files-idle-ws"  // as SessionIdleWS
	FilesLatency = "files-latency"  // one channel, published to at a steady rate
	FilesStart   = "files-start"    // started again with much that is kept
	FilesResume  = "files-resume"   // sessions that come back all at once after a start
	FilesSlow    = "files-slow"     // one of the sessions does not read for a while
)

// Options is what a server is told at its start.
type Options struct {
	Workload  string
	Addr      string        // host:port to listen on; free when the server starts
	PingEvery time.Duration // IdleCPU only
	Dir       string        // for what is kept; empty: one that goes with the server
	History   int           // publications that are kept of each channel; zero: the server's default
	CertPEM   []byte        // IdleTLS only, with KeyPEM
	KeyPEM    []byte
}

// Running is a server that listens.
type Running struct {
	// Publish sends p to every open link as one binary message, at the latest those whose ping has been answered. It is called by one goroutine, for Broadcast only,
	// and may block. p does not change.
	Publish func(p []byte)

	// Fill publishes n messages of size bytes to so many channels in turn, each with its number in its channel, and
	// returns when all are acknowledged.
	Fill func(n, channels, size int) error
	// Tell adds to an answer what the server knows of itself. Nil means nothing.
	Tell func(*reply)

	// PID is that of the server's process, where it is a program of its own; then its CPU and memory are measured.
	PID int
	// Stop ends what does not end with this process. Nil means nothing.
	Stop func()
}

// A Server stands in one or more workloads. Start returns when connections are accepted; the server then runs until
// its process ends.
type Server struct {
	Name      string
	Workloads []string
	Start     func(o *Options) (*Running, error)
	Speaks    *dialect // for the session workloads only
}

var servers []Server

// Register is called by the init function of each server's file.
func Register(s Server) {
	for _, w := range s.Workloads {
		if _, ok := findServer(w, s.Name); ok {
			panic(fmt.Sprintf("rivals: %s is registered twice for %s", s.Name, w))
		}
	}
	servers = append(servers, s)
}

func findServer(workload, name string) (Server, bool) {
	for _, s := range servers {
		if s.Name == name && slices.Contains(s.Workloads, workload) {
			return s, true
		}
	}
	return Server{}, false
}

func serverNames(workload string) []string {
	var names []string
	for _, s := range servers {
		if slices.Contains(s.Workloads, workload) {
			names = append(names, s.Name)
		}
	}
	slices.SortFunc(names, oursFirst)
	return names
}
