package linktest_test

import (
	"testing"

	"github.com/longwire/longwire/linktest"
)

// One Message to links of every way at once.
func TestTogether(t *testing.T) {
	linktest.RunTogether(t, tcpRaw, tcpLines, tcpUint32, tcpVarint, tcpOwn(), tlsLines,
		webSocket("ws", false), webSocket("wss", true), sse("sse", false), ndjson, longPoll, sseHTTP2)
}
