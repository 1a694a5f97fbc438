//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "rivals: the harness measures with epoll and /proc and runs on Linux only")
	os.Exit(1)
}
