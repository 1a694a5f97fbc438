// Package interop holds tests of longwire against programs that others have
// written: the npm packages ws and eventsource, Python's websockets, curl,
// openssl, netcat, nginx, HAProxy and Chromium. It contains nothing else.
//
// Where a program is missing the tests fail; make deps installs all of them.
package interop
