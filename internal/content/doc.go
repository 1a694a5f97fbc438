// Package content reads what a request says of its body, and the lines of a
// batch: pure functions of headers and bytes. It knows the wire's codes and
// limits, and nothing of nodes, links or responses.
package content
