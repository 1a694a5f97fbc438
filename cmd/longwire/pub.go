package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/longwire/longwire/client"
)

// pubCmd publishes. It ends well if all that was published has been acknowledged.
type pubCmd struct {
	connection
	dataType
	Channel string  `arg:"" help:"The channel."`
	Data    *string `arg:"" optional:"" help:"The publication. Without it, or with -, each line of standard input is one."`
	Key     string  `help:"Publish at most once with this key: within two minutes it is safe to try again."`
	JSON    bool    `name:"json" help:"Print where each publication stands: {\"channel\":…,\"position\":…}."`
}

// maxLine bounds a line of standard input, far above what a server takes.
const maxLine = 64 << 20

// Run is called by kong.
func (p *pubCmd) Run() error {
	lines := p.Data == nil || *p.Data == "-"
	if lines && p.Key != "" {
		return &usageError{"--key is for one publication; give its data as an argument"}
	}
	ctx := context.Background()
	c, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if lines {
		return p.publishLines(ctx, c, os.Stdin)
	}
	position, err := c.Publish(ctx, p.Channel, p.data([]byte(*p.Data)), &client.PublishOptions{Key: p.Key})
	if err == nil {
		p.acknowledged(position)
	}
	return err
}

// publishLines publishes each line, many at a time. A line that is refused does
// not keep those behind it.
func (p *pubCmd) publishLines(ctx context.Context, c *client.Client, r io.Reader) error {
	var under sync.WaitGroup
	var mu sync.Mutex
	failed := 0 // guarded by mu
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	var refused error // by the first line that would be refused on every line
	for ; refused == nil && lines.Scan(); n++ {
		number := n + 1
		fail := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			failed++
			note("line %d: %v", number, err)
		}
		under.Add(1)
		err := c.PublishFunc(ctx, p.Channel, p.data(lines.Bytes()), nil, func(position string, err error) {
			defer under.Done()
			if err != nil {
				fail(err)
				return
			}
			p.acknowledged(position)
		})
		if err != nil {
			under.Done()
			if c.Err() != nil || isCode(err, client.CodeBadChannel) {
				refused = err
			} else {
				fail(err)
			}
		}
	}
	under.Wait()
	switch {
	case refused != nil:
		return refused
	case lines.Err() != nil:
		return fmt.Errorf("line %d: %w", n+1, lines.Err())
	case failed > 0:
		return fmt.Errorf("lines that were not published, or of which nobody knows: %d of %d", failed, n)
	}
	return nil
}

func (p *pubCmd) acknowledged(position string) {
	if p.JSON {
		fmt.Printf("{\"channel\":%q,\"position\":%q}\n", p.Channel, position) // neither needs escaping
	}
}

func isCode(err error, code client.Code) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Code == code
}
