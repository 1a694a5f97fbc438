//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// A request is one JSON line on the server process's standard input. "stats" and "free" are answered by one JSON line
// on its standard output, and so is "fill" when all is acknowledged; "publish" is not, so that it costs next to nothing. The process ends at "quit" and at the
// end of its input, so it never outlives the driver.
type request struct {
	Op string `json:"op"`
	N  int    `json:"n,omitzero"` // publish, fill: how many messages

	Channels int `json:"channels,omitzero"` // fill: to how many
	Size     int `json:"size,omitzero"`     // fill: bytes of each
}

type reply struct {
	Addr       string `json:"addr,omitzero"` // first line only
	PID        int    `json:"pid,omitzero"`  // first line only: Running.PID
	Err        string `json:"err,omitzero"`
	Mallocs    uint64 `json:"mallocs,omitzero"`
	HeapInuse  uint64 `json:"heap_inuse,omitzero"`
	StackInuse uint64 `json:"stack_inuse,omitzero"`
	Goroutines int    `json:"goroutines,omitzero"`
	HeapAlloc  uint64 `json:"heap_alloc,omitzero"` // after "free" what lives

	// By Running.Tell, of servers that keep history.
	OpenMillis int64  `json:"open_ms,omitzero"` // until the broker was open
	NodeMillis int64  `json:"node_ms,omitzero"` // from then until the node was ready, with its recent window filled
	Reads      int64  `json:"reads,omitzero"`   // of history
	Last       uint64 `json:"last,omitzero"`    // the number of the last publication
	Queued     int64  `json:"queued,omitzero"`  // the most that waited for a link, in bytes
	Refused    int64  `json:"refused,omitzero"` // messages for which there was no room
}

// serve is the server process: it starts one server and obeys the control lines.
func serve(args []string, in io.Reader, out io.Writer) error {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	workload := fs.String("workload", WSEcho, "what is asked of the server")
	name := fs.String("name", "", "which server")
	addr := fs.String("addr", "", "host:port to listen on (default a free port of 127.0.0.1)")
	size := fs.Int("size", 128, "bytes of a published message")
	o := Options{}
	fs.DurationVar(&o.PingEvery, "ping", 25*time.Second, "ping period")
	fs.StringVar(&o.Dir, "data", "", "directory for what is kept (default one that goes with the server)")
	fs.IntVar(&o.History, "history", 0, "publications that are kept of each channel (default the server's)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	o.Workload, o.Addr = *workload, *addr
	running, err := start(&o, *name)
	if err != nil {
		_ = enc.Encode(reply{Err: err.Error()})
		return err
	}
	if running.Stop != nil {
		defer running.Stop()
	}
	if err := enc.Encode(reply{Addr: o.Addr, PID: running.PID}); err != nil {
		return err
	}
	return obey(running, payload(*size), bufio.NewScanner(in), enc)
}

func start(o *Options, name string) (*Running, error) {
	s, ok := findServer(o.Workload, name)
	if !ok {
		return nil, fmt.Errorf("no server %q for %s, only %v", name, o.Workload, serverNames(o.Workload))
	}
	if o.Addr == "" {
		var err error
		if o.Addr, err = freeAddr(); err != nil {
			return nil, err
		}
	}
	if o.Workload == IdleTLS {
		var err error
		if o.CertPEM, o.KeyPEM, err = selfSigned(); err != nil {
			return nil, err
		}
	}
	return s.Start(o)
}

func obey(running *Running, message []byte, lines *bufio.Scanner, enc *json.Encoder) error {
	for lines.Scan() {
		var q request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return fmt.Errorf("control line: %w", err)
		}
		var err error
		switch q.Op {
		case "publish":
			for range q.N {
				running.Publish(message)
			}
		case "stats":
			err = enc.Encode(readStats(running))
		case "free":
			debug.FreeOSMemory()
			err = enc.Encode(readStats(running))
		case "fill":
			if err = running.Fill(q.N, q.Channels, q.Size); err == nil {
				err = enc.Encode(readStats(running))
			}
		case "quit":
			return nil
		default:
			err = errors.New("unknown op " + q.Op)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

func readStats(running *Running) reply {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r := reply{Mallocs: m.Mallocs, HeapInuse: m.HeapInuse, StackInuse: m.StackInuse, Goroutines: runtime.NumGoroutine(), HeapAlloc: m.HeapAlloc}
	if running.Tell != nil {
		running.Tell(&r)
	}
	return r
}

// freeAddr finds a port below the ephemeral range, where no client of another measurement can take it between this
// look and the server's bind. Not every rival takes a listener, so the address is handed on by number.
func freeAddr() (string, error) {
	first := 10000 + os.Getpid()*37%20000
	for i := range 200 {
		addr := fmt.Sprintf("127.0.0.1:%d", first+i)
		ln, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, ln.Close()
		}
	}
	return "", fmt.Errorf("no free port from %d on", first)
}
