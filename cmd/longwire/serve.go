package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/longwire/longwire/internal/server"
)

// serveCmd serves until SIGINT or SIGTERM, and then ends in order. A second
// signal ends it at once.
type serveCmd struct {
	HTTP            string        `name:"http" help:"Where to listen for HTTP and WebSocket; \"off\" for not at all." default:"127.0.0.1:8080" placeholder:"127.0.0.1:8080"`
	TCP             string        `name:"tcp" help:"Where to listen for JSON lines over TCP; \"off\" for not at all." default:"127.0.0.1:8888" placeholder:"127.0.0.1:8888"`
	TLSCert         string        `name:"tls-cert" help:"PEM file with the certificate; everything is TLS then." placeholder:"FILE"`
	TLSKey          string        `name:"tls-key" help:"PEM file with its private key." placeholder:"FILE"`
	Insecure        bool          `help:"Listen wider than 127.0.0.1 although there is no authentication."`
	AllowOrigin     []string      `help:"Origin of pages that may use this server (repeatable); \"*\" for any. Default: its own and, on loopback, those of localhost." placeholder:"ORIGIN"`
	ResumeWindow    time.Duration `help:"How long a session waits for its client to come back; 0 for not at all." default:"30s"`
	Rate            int           `help:"Frames that a session may send in a second; 0 for no bound." default:"10000"`
	Data            string        `help:"Directory for what is published; \"memory\" keeps it in memory only. Default: longwire in the user's state directory." placeholder:"DIR"`
	NATS            string        `name:"nats" help:"NATS server or cluster with JetStream for what is published, instead of --data; servers that name the same one share it." placeholder:"URL"`
	NATSCreds       string        `name:"nats-creds" help:"File with credentials for it." placeholder:"FILE"`
	NATSReplicas    int           `name:"nats-replicas" help:"How many servers of the cluster keep each publication: 1, 3 or 5. Default: 1." placeholder:"N"`
	Sync            syncEvery     `help:"How often what was published is forced to the disk: what the loss of power may take; \"always\" before every answer. For a data directory only. Default: 1s." placeholder:"1s"`
	Partitions      int           `help:"Partitions of each retention class; it cannot be changed later. Default: 1, with --nats 8." placeholder:"N"`
	HistoryCount    int           `help:"Publications that are kept of each channel; 0 for none." default:"1000"`
	HistoryAge      time.Duration `help:"How long they are kept; 0 for as long as there is room." default:"24h"`
	HistoryBytes    size          `help:"Room for all that is kept, such as 512MiB; 0 for no bound." default:"1GiB"`
	History         classes       `help:"Retention classes for channels that want another history, as YAML; best in the --config file. Another name, order or list of channels makes all positions of before gaps." placeholder:"YAML"`
	ShutdownTimeout time.Duration `help:"How long clients may take to hear that the server ends." default:"10s"`
	LogLevel        slog.Level    `help:"debug, info, warn or error." default:"info"`
}

// Run is called by kong.
func (c *serveCmd) Run() error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // nobody waits for it: it ends with the process
		<-signals
		cancel()
		if s, ok := (<-signals).(syscall.Signal); ok {
			os.Exit(128 + int(s)) // as a shell has it
		}
	}()

	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	slog.SetDefault(log) // for what has no logger of its own, such as connections that cannot be parked
	store, err := c.store()
	if err != nil {
		return err
	}
	srv, err := server.New(ctx, &server.Options{
		HTTP: c.HTTP, TCP: c.TCP,
		TLSCert: c.TLSCert, TLSKey: c.TLSKey,
		Insecure: c.Insecure, AllowOrigin: c.AllowOrigin,
		ResumeWindow:    orNever(c.ResumeWindow),
		Rate:            orNever(c.Rate),
		Store:           store,
		ShutdownTimeout: c.ShutdownTimeout,
		Log:             log,
	})
	if err != nil {
		return err
	}
	fmt.Print(srv.Hello()) // to standard output: it is for people, the log is not
	return srv.Run(ctx)
}

// check reports numbers that cannot be. That something is off says 0, and nothing below.
func (c *serveCmd) check() error {
	switch {
	case c.ResumeWindow < 0:
		return misuse("--resume-window %v is negative; 0 ends sessions with their connections", c.ResumeWindow)
	case c.Rate < 0:
		return misuse("--rate %d is negative; 0 is for no bound", c.Rate)
	case c.HistoryCount < 0:
		return misuse("--history-count %d is negative; 0 is for no history", c.HistoryCount)
	case c.HistoryAge < 0:
		return misuse("--history-age %v is negative; 0 is for as long as there is room", c.HistoryAge)
	case c.Partitions < 0:
		return misuse("--partitions %d is negative; leave it out, or say how many", c.Partitions)
	case c.ShutdownTimeout <= 0:
		return misuse("--shutdown-timeout %v is no time to end in; write a duration such as 10s", c.ShutdownTimeout)
	}
	return nil
}

// orNever makes of a flag's zero, which means what it says, what options have for
// it: their zero is the default.
func orNever[T ~int | ~int64](n T) T {
	if n == 0 {
		return -1
	}
	return n
}
