package main

import (
	"context"
	"io"
	"os"

	"github.com/longwire/longwire/client"
)

// callCmd asks the server's program for something and prints the answer.
type callCmd struct {
	connection
	dataType
	Method string  `arg:"" help:"What to ask for."`
	Data   *string `arg:"" optional:"" help:"With what; - reads standard input. Default: null."`
}

// Run is called by kong.
func (a *callCmd) Run() error {
	d := client.Data{Type: client.JSON, Bytes: []byte("null")}
	switch {
	case a.Data != nil && *a.Data == "-":
		p, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		d = a.data(p)
	case a.Data != nil:
		d = a.data([]byte(*a.Data))
	}
	ctx := context.Background()
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := c.Call(ctx, a.Method, d)
	if err != nil {
		return err
	}
	return printData(os.Stdout, answer)
}
