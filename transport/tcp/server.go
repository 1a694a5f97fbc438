// Package tcp carries messages over TCP and TLS, cut out of the byte stream by
// a framing of the user's choice.
package tcp
