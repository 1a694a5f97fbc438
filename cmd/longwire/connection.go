package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/longwire/longwire/client"
)

// A connection is what the commands that speak to a server have in common.
type connection struct {
	Server string `help:"Where the server is: http://host:port, https://…, tcp://host:port or tls://…. Default: http://127.0.0.1:8080, with --via tcp tcp://127.0.0.1:8888." placeholder:"URL"`
	Via    string `help:"Way in: ws, tcp, sse, ndjson or poll. Default: ws, or what the URL says." placeholder:"WAY"`
	Token  string `help:"Proves who you are; better given by $LONGWIRE_TOKEN, which other users cannot see."`
	Quiet  bool   `short:"q" help:"Do not tell when the connection is lost and back."`
}

// dial connects. What happens to the connection later is told on standard error.
func (c *connection) dial(ctx context.Context) (*client.Client, error) {
	o := &client.Options{Via: client.Via(c.Via), Token: c.Token, Name: "longwire command"}
	if !c.Quiet {
		o.Lost = func(err error, wait time.Duration) {
			note("connection lost: %v; trying again in %v", err, wait.Round(100*time.Millisecond))
		}
		o.Back = func() { note("connected again") }
	}
	cl, err := client.Dial(ctx, c.Server, o)
	if errors.Is(err, syscall.ECONNREFUSED) {
		err = fmt.Errorf("%w\nIs the server running? Start one with: longwire serve", err)
	}
	return cl, err
}

// note says something that is no output.
func note(format string, args ...any) { say(fmt.Sprintf(format, args...)) }

// say says something on standard error, and once who says it: errors of packages
// begin with their names.
func say(text string) {
	fmt.Fprintln(os.Stderr, "longwire:", strings.NewReplacer("longwire: ", "", "client: ", "").Replace(text))
}

// dataType is a flag for what data is.
type dataType struct {
	Type string `enum:"auto,json,text,binary" default:"auto" help:"What the data is: json, text, binary, or auto: an object or array is JSON, the rest text."`
}

func (t dataType) data(p []byte) client.Data {
	switch t.Type {
	case "json":
		return client.Data{Type: client.JSON, Bytes: p}
	case "text":
		return client.Data{Type: client.Text, Bytes: p}
	case "binary":
		return client.Data{Type: client.Binary, Bytes: p}
	}
	return client.Guess(p)
}

// outputFormat is a flag for how messages are printed.
type outputFormat struct {
	JSON bool `name:"json" help:"Print whole frames, one JSON object per line, instead of the data alone."`
}

// print writes one message as one line, in one write: whoever reads a pipe sees
// it at once.
func (f outputFormat) print(w io.Writer, m *client.Message) error {
	if f.JSON {
		_, err := w.Write(append(m.Frame[:len(m.Frame):len(m.Frame)], '\n'))
		return err
	}
	return printData(w, m.Data)
}

// printData writes text and JSON as they are, other bytes as base64.
func printData(w io.Writer, d client.Data) error {
	p := d.Bytes[:len(d.Bytes):len(d.Bytes)]
	if d.Type == client.Binary {
		p = base64.StdEncoding.AppendEncode(nil, d.Bytes)
	}
	_, err := w.Write(append(p, '\n'))
	return err
}

// A usageError is a mistake on the command line that the parser cannot know of.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// misused reports whether an error is about what was asked for, and not about
// what came of it.
func misused(err error) bool {
	_, address := errors.AsType[*client.AddressError](err)
	_, usage := errors.AsType[*usageError](err)
	refused, _ := errors.AsType[*client.Error](err)
	return address || usage || refused != nil && (refused.Code == client.CodeBadChannel || refused.Code == client.CodeBadRequest)
}
