package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/longwire/longwire/client"
)

// subCmd prints what is published, until it is interrupted. It connects again by itself, and
// goes on behind the last message that it has printed.
type subCmd struct {
	connection
	outputFormat
	Channels []string `arg:"" name:"channel" help:"Channels or patterns: news, chat.*, device.>"`
	Since    string   `help:"Where to begin: now, all, last:N, a duration such as 10m, or a position." default:"now"`
	Count    int      `help:"End after so many messages." placeholder:"N"`
}

// Run is called by kong.
func (s *subCmd) Run() error {
	if s.Count < 0 {
		return misuse("--count %d is negative; it is the number of messages after which to end", s.Count)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := s.dial(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer c.Close()
	over := make(chan error, 1) // the first reason to end
	o := s.hooks(func(err error) {
		select {
		case over <- err:
		default:
		}
	})
	for _, name := range s.Channels {
		if _, err := c.Subscribe(ctx, name, o); err != nil {
			return interrupted(ctx, fmt.Errorf("%s: %w", name, err))
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-over:
		return err
	case <-c.Done():
		return c.Err()
	}
}

// interrupted is how a command ends that was told to: well.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// hooks returns how messages are heard, whatever their channel. End is called
// when there is a reason to end.
func (s *subCmd) hooks(end func(error)) *client.SubscribeOptions {
	printed := 0
	return &client.SubscribeOptions{
		Since: s.Since,
		Message: func(m *client.Message) {
			if s.Count > 0 && printed == s.Count {
				return
			}
			if err := s.print(os.Stdout, m); err != nil {
				end(err)
				return
			}
			if printed++; printed == s.Count {
				end(nil)
			}
		},
		Gap: func(g *client.Gap) {
			if g.Lost > 0 {
				note("gap: publications of %s were not delivered: %d", g.Channel, g.Lost)
			} else {
				note("gap: publications of %s are missing here", g.Channel)
			}
		},
		End: end,
	}
}
