package main

import (
	"context"
	"errors"
	"os"

	"github.com/longwire/longwire/client"
)

// historyCmd prints what is kept of a channel, or of all that match a pattern, and ends.
type historyCmd struct {
	connection
	outputFormat
	Channel string `arg:"" help:"The channel or pattern: news, chat.*, device.>"`
	Since   string `help:"Where to begin: all, last:N, a duration such as 10m, or a position." default:"all"`
	Limit   int    `help:"Print at most so many messages." placeholder:"N"`
}

// Run is called by kong.
func (h *historyCmd) Run() error {
	if h.Limit < 0 {
		return misuse("--limit %d is negative; it is the most messages to print", h.Limit)
	}
	ctx := context.Background()
	c, err := h.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for m, err := range c.History(ctx, h.Channel, &client.HistoryOptions{Since: h.Since, Limit: h.Limit}) {
		if gap, ok := errors.AsType[*client.GapError](err); ok {
			note("gap: publications of %s are missing here", gap.Channel)
			continue
		}
		if err == nil {
			err = h.print(os.Stdout, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
