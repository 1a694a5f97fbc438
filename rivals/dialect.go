//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A dialect is how the client of the session workloads speaks to a server.
type dialect struct {
	// begin greets so that link i of a fleet is subscribed to channels(i) when the answers have come.
	begin func(channels func(i int) []string) []greeting
	// size counts messages, and the answers to publish if there are any.
	size sizer
	// publish appends a publication. Nil: the server publishes when the driver tells it to.
	publish func(dst []byte, id int, channel string, data []byte) []byte
	// silent means that there is no answer to publish.
	silent bool
}

// sessionWS is the session protocol over WebSocket.
var sessionWS = dialect{
	begin: func(channels func(int) []string) []greeting {
		return []greeting{
			asking(upgradeTo("/connect"), statusSwitching),
			{
				say: func(i int) []byte {
					return appendClientFrame(nil, finText, appendConnect(nil, channels(i)))
				},
				heard: func(p []byte) (bool, error) {
					n, head := serverFrameSize(p)
					if head == 0 || len(p) < head+n {
						return false, nil
					}
					return true, connected(p[head:])
				},
			},
		}
	},
	size: opSize,
	publish: func(dst []byte, id int, channel string, data []byte) []byte {
		var frame [512]byte
		return appendClientFrame(dst, finText, appendPublish(frame[:0], id, channel, data))
	},
}

// sessionLines is the session protocol over TCP, a line for each frame. It only begins sessions.
var sessionLines = dialect{
	begin: func(channels func(int) []string) []greeting {
		return []greeting{{
			say: func(i int) []byte { return append(appendConnect(nil, channels(i)), '\n') },
			heard: func(p []byte) (bool, error) {
				if !bytes.HasSuffix(p, []byte("\n")) {
					return false, nil
				}
				return true, connected(p)
			},
		}}
	},
}

// connected looks at the answer to a connect frame; what went wrong with a subscription is in it too.
func connected(p []byte) error {
	if !bytes.HasPrefix(p, []byte(`{"op":"connected"`)) || bytes.Contains(p, []byte(`"error"`)) {
		return fmt.Errorf("connect was answered by %.400q", p)
	}
	return nil
}

// appendConnect appends a connect frame. Names need no quoting.
func appendConnect(b []byte, channels []string) []byte {
	b = append(b, `{"op":"connect","id":1,"subscribe":[`...)
	for i, c := range channels {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"channel":"`...), c...), `"}`...)
	}
	return append(b, "]}"...)
}

func appendPublish(b []byte, id int, channel string, data []byte) []byte {
	b = strconv.AppendInt(append(b, `{"op":"publish","id":`...), int64(id), 10)
	b = append(append(append(b, `,"channel":"`...), channel...), `","data":"`...)
	return append(append(b, data...), `"}`...)
}

// appendPost appends an HTTP request that publishes.
func appendPost(b []byte, channel string, data []byte) []byte {
	b = append(append(append(b, "POST /channels/"...), channel...), " HTTP/1.1\r\nHost: 127.0.0.1\r\n"...)
	b = strconv.AppendInt(append(b, "Content-Type: text/plain\r\nContent-Length: "...), int64(len(data)), 10)
	return append(append(b, "\r\n\r\n"...), data...)
}

// rawWS is WebSocket without anything: a link counts as subscribed when a ping is answered.
var rawWS = dialect{
	begin: func(channels func(int) []string) []greeting {
		pong := serverFrame(finPong, nil)
		return []greeting{
			{
				say:   func(i int) []byte { return []byte(upgradeTo("/" + channels(i)[0])) },
				heard: upgrading().heard,
			},
			{
				say: func(int) []byte { return appendClientFrame(nil, finPing, nil) },
				heard: func(p []byte) (bool, error) {
					if !bytes.HasPrefix(pong, p) {
						return false, fmt.Errorf("want a pong, got %x", p)
					}
					return len(p) == len(pong), nil
				},
			},
		}
	},
	size: func(p []byte) (size, msgs int, err error) {
		n, head := serverFrameSize(p)
		switch {
		case head == 0:
			return 0, 0, nil
		case p[0] != finBinary:
			return 0, 0, errors.New("not a message")
		}
		return head + n, 1, nil
	},
}

// channelName is what the i-th channel of a workload is called. All names have one length.
func channelName(i int) string { return fmt.Sprintf("c%06d", i) }
