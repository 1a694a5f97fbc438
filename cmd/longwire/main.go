// Command longwire keeps long connections: it serves channels over TCP,
// WebSocket and HTTP, so that what one client publishes reaches all others.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/longwire/longwire/internal/server"
)

// Exit codes. 1 is a failure to start or to serve.
const (
	exitFailure = 1
	exitUsage   = 2 // flags, environment or configuration file make no sense
)

// commands is the command line. Each command is in a file of its own, and says
// in flags what it takes; each flag can also be given by a LONGWIRE_… variable
// and in the configuration file.
type commands struct {
	Config      configFile       `help:"YAML file with flags by their names, such as \"http: 127.0.0.1:9000\"." placeholder:"FILE" env:"LONGWIRE_CONFIG"`
	ShowVersion kong.VersionFlag `name:"version" help:"Print the version." env:"-"`

	Serve   serveCmd   `cmd:"" help:"Serve channels over TCP, WebSocket and HTTP."`
	Sub     subCmd     `cmd:"" help:"Print what is published to channels."`
	Pub     pubCmd     `cmd:"" help:"Publish to a channel."`
	History historyCmd `cmd:"" help:"Print what is kept of a channel."`
	Call    callCmd    `cmd:"" help:"Ask the server's program for something."`
	Backup  backupCmd  `cmd:"" help:"Copy a server's data directory, also while it runs."`
	Restore restoreCmd `cmd:"" help:"Make a data directory of a backup."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

const description = `Very many long-lived connections, kept cheaply: TCP, WebSocket and HTTP are equal ways in.

Begin with "longwire serve"; it prints what to paste into other terminals.`

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	exited := -1
	parser := kong.Must(&commands{},
		kong.Name("longwire"),
		kong.Description(description),
		kong.Vars{"version": version()}, // for --version
		kong.DefaultEnvars("LONGWIRE"),
		kong.Exit(func(code int) { exited = code }), // --help has been printed
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, FlagsLast: true, WrapUpperBound: 100}),
	)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
	switch {
	case exited >= 0:
		return exited
	case err != nil:
		return fail(exitUsage, fmt.Errorf("%w\nFor more: longwire --help", err))
	}
	err = ctx.Run()
	if _, bad := errors.AsType[*server.UsageError](err); bad || misused(err) {
		return fail(exitUsage, fmt.Errorf("%w\nFor more: longwire %s --help", err, ctx.Selected().Name))
	}
	if err != nil {
		return fail(exitFailure, err)
	}
	return 0
}

func fail(code int, err error) int {
	say(err.Error())
	return code
}
