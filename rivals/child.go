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
// on its standard output; "publish" is not, so that it costs next to nothing. The process ends at "quit" and at the
// end of its input, so it never outlives the driver.
type request struct {
	Op string `json:"op"`
	N  int    `json:"n,omitzero"` // publish: how many messages
}

type reply struct {
	Addr       string `json:"addr,omitzero"` // first line only
	PID        int    `json:"pid,omitzero"`  // first line only: Running.PID
	Err        string `json:"err,omitzero"`
	Mallocs    uint64 `json:"mallocs,omitzero"`
	HeapInuse  uint64 `json:"heap_inuse,omitzero"`
	StackInuse uint64 `json:"stack_inuse,omitzero"`
	Goroutines int    `json:"goroutines,omitzero"`
}

// serve is the server process: it starts one server and obeys the control lines.
func serve(args []string, in io.Reader, out io.Writer) error {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	workload := fs.String("workload", WSEcho, "what is asked of the server")
	name := fs.String("name", "", "which server")
	addr := fs.String("addr", "", "host:port to listen on (default a free port of 127.0.0.1)")
	size := fs.Int("size", 128, "bytes of a published message")
	ping := fs.Duration("ping", 25*time.Second, "ping period")
	if err := fs.Parse(args); err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	running, bound, err := start(*workload, *name, *addr, *ping)
	if err != nil {
		_ = enc.Encode(reply{Err: err.Error()})
		return err
	}
	if running.Stop != nil {
		defer running.Stop()
	}
	if err := enc.Encode(reply{Addr: bound, PID: running.PID}); err != nil {
		return err
	}
	return obey(running, payload(*size), bufio.NewScanner(in), enc)
}

func start(workload, name, addr string, ping time.Duration) (*Running, string, error) {
	s, ok := findServer(workload, name)
	if !ok {
		return nil, "", fmt.Errorf("no server %q for %s, only %v", name, workload, serverNames(workload))
	}
	if addr == "" {
		var err error
		if addr, err = freeAddr(); err != nil {
			return nil, "", err
		}
	}
	o := &Options{Workload: workload, Addr: addr, PingEvery: ping}
	if workload == IdleTLS {
		var err error
		if o.CertPEM, o.KeyPEM, err = selfSigned(); err != nil {
			return nil, "", err
		}
	}
	r, err := s.Start(o)
	return r, addr, err
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
			err = enc.Encode(readStats())
		case "free":
			debug.FreeOSMemory()
			err = enc.Encode(readStats())
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

func readStats() reply {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return reply{Mallocs: m.Mallocs, HeapInuse: m.HeapInuse, StackInuse: m.StackInuse, Goroutines: runtime.NumGoroutine()}
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
