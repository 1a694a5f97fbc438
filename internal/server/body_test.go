package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/wire"
)

// bodyTime is what a node gives a body.
const bodyTime = 30 * time.Second

// A body that does not arrive holds up nothing for longer than bodyTime, also
// where no handler reads it.
func TestBodyThatDoesNotArrive(t *testing.T) {
	for _, tt := range []struct {
		name, line, header string
		want               int
	}{
		{"a publication", "POST /channels/news", "Host: localhost", 400},
		{"a bad channel", "POST /channels/a..b", "Host: localhost", 400},
		{"a wrong method", "PUT /channels/news", "Host: localhost", 405},
		{"the page", "GET /", "Host: localhost", 200},
		{"nothing there", "GET /nothing", "Host: localhost", 404},
		{"another host", "POST /channels/news", "Host: evil.example", 421},
		{"a foreign page", "POST /channels/news", "Host: localhost\r\nOrigin: https://evil.example", 403},
	} {
		request := fmt.Sprintf("%s HTTP/1.1\r\n%s\r\nContent-Length: 1000\r\n\r\n", tt.line, tt.header)
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { bodyStalls(t, request, tt.want, 0) })
		})
		t.Run(tt.name+", a byte now and then", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { bodyStalls(t, request, tt.want, 700*time.Millisecond) })
		})
	}
}

// bodyStalls sends the head of a request, and of its body a byte every so often
// or nothing.
func bodyStalls(t *testing.T, head string, want int, every time.Duration) {
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 1, Goroutines: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{loopback: true, engine: e}
	if s.node, err = longwire.New(s.nodeOptions()); err != nil {
		t.Fatal(err)
	}
	defer func() { e.Close(context.Background()); s.node.Close(context.Background()) }()
	ln := memnet.Listen("127.0.0.1:8080")
	srv := &http.Server{Handler: s.atHome(s.routes()), IdleTimeout: idleTimeout}
	served := make(chan error)
	go func() { served <- srv.Serve(ln) }()
	defer func() { srv.Close(); <-served }()
	c, err := ln.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.SetReadDeadline(began.Add(time.Hour))
	var writer sync.WaitGroup
	defer func() { c.Close(); writer.Wait() }()
	writer.Go(func() { // until the connection ends
		_, err := io.WriteString(c, head)
		for err == nil && every > 0 {
			time.Sleep(every)
			_, err = io.WriteString(c, "x")
		}
	})
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != want {
		t.Errorf("%s, want %d", resp.Status, want)
	}
	if took := time.Since(began); took > bodyTime+time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := br.ReadByte(); err == nil {
		t.Error("the connection goes on in the middle of a body")
	}
}

// A client that asks before it sends a body which is too large, as curl does
// from 1 MiB on, is told so and need not send it.
func TestLargeBodyIsRefusedUnsent(t *testing.T) {
	r := start(t, nil)
	for length, want := range map[int]int{wire.MaxMessage: http.StatusContinue, wire.MaxMessage + 1: http.StatusRequestEntityTooLarge} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.HTTPURL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "POST /channels/news HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", length)
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != want {
			t.Errorf("%d bytes: %v %v, want %d", length, resp, err, want)
		}
	}
}
