package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints the version that the go command recorded, so that a bug
// report says what was running.
type versionCmd struct{}

// Run is called by kong.
func (versionCmd) Run() error {
	fmt.Println(version())
	return nil
}

func version() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return fmt.Sprintf("longwire %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
