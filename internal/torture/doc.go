// Package torture proves that nothing is lost silently: it has a real server killed again and again while publishers
// and subscribers use it by every way in, and judges afterwards by what they wrote down.
//
// What happened is a [History]: every publication that was begun, every outcome, every message that was received, each
// by whoever saw it. [Check] is a function of that and of nothing else. What lies between is kept plain: subscribers
// speak the protocol themselves (docs/protocol.md), because a client library could hide a mistake; some use the Go
// client, because that is to keep the promise, too.
//
// It knows the protocol and the client, and nothing of the server but its program.
package torture
