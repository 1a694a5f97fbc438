//go:build linux

// Rivals measures servers side by side on one machine: each server in a process of its own, all of them driven by
// the same cheap client in this process, so that the server's CPU and memory are measured alone.
//
//	go run . table            the whole table, Markdown on standard output
//	go run . table -quick     every figure once, small and short
//	go run . table -run '^ws-echo: 200 ' -servers 'longwire|gws|nbio' -runs 3 -duration 1s
//	go run . list             which servers stand in which workload
//
// A server is one Register call in a file of its own; the workloads in registry.go say what is asked of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "rivals:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	command := "table"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "table":
		cfg, err := parseConfig(args)
		if err != nil {
			return err
		}
		// The driver has memory to spare and must not collect garbage in the middle of a measurement.
		debug.SetGCPercent(400)
		return table(ctx, cfg, os.Stdout)
	case "serve":
		return serve(args, os.Stdin, os.Stdout)
	case "list":
		for _, w := range workloads {
			fmt.Printf("%-17s %v\n", w.Name, serverNames(w.Name))
		}
		return nil
	}
	return fmt.Errorf("unknown command %q: want table, list or serve", command)
}

// table measures what cfg selects and prints it. What was measured before an interruption is printed too.
func table(ctx context.Context, cfg *Config, out *os.File) error {
	results, err := measureAll(ctx, cfg, os.Stderr)
	if len(results) > 0 {
		printTable(out, cfg, results)
	}
	return err
}
