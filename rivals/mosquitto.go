//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// mosquitto, an MQTT broker in C, stands beside sessions over TCP where it is installed (Debian: mosquitto).
func init() {
	path, ok := findProgram("mosquitto")
	if !ok {
		return
	}
	Register(Server{
		Name: "mosquitto", Workloads: []string{SessionIdleTCP}, Speaks: &mqtt,
		Start: func(o *Options) (*Running, error) { return startMosquitto(path, o.Addr) },
	})
}

func startMosquitto(path, addr string) (*Running, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rivals")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // it has read its configuration when it listens
	conf := filepath.Join(dir, "mosquitto.conf")
	// Started by root it would become another user, who cannot read the file.
	text := fmt.Sprintf("listener %s %s\nallow_anonymous true\nuser root\npersistence false\nlog_dest none\nset_tcp_nodelay true\n", port, host)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return startProgram(addr, path, "-c", conf)
}

// mqtt is MQTT 3.1.1: CONNECT and SUBSCRIBE at quality 0 in one write, CONNACK and SUBACK back.
var mqtt = dialect{
	begin: func(channels func(int) []string) []greeting {
		return []greeting{{
			say: func(i int) []byte {
				return appendMQTTSubscribe(appendMQTTConnect(nil, fmt.Sprintf("client%06d", i)), channels(i))
			},
			heard: func(p []byte) (bool, error) {
				want := append([]byte{0x20, 2, 0, 0, 0x90, byte(2 + len(channels(0))), 0, 1}, make([]byte, len(channels(0)))...)
				if !bytes.HasPrefix(want, p) {
					return false, fmt.Errorf("want CONNACK and SUBACK, got %x", p)
				}
				return len(p) == len(want), nil
			},
		}}
	},
}

func appendMQTTConnect(b []byte, client string) []byte {
	const (
		level      = 4 // 3.1.1
		cleanStart = 2
		keepAlive  = 60_000 // seconds: no client of a measurement says anything
	)
	body := append([]byte("\x00\x04MQTT"), level, cleanStart, keepAlive>>8, keepAlive&0xff)
	return appendMQTT(b, 0x10, appendMQTTString(body, client))
}

func appendMQTTSubscribe(b []byte, topics []string) []byte {
	body := []byte{0, 1} // the packet's id
	for _, t := range topics {
		body = append(appendMQTTString(body, t), 0) // quality
	}
	return appendMQTT(b, 0x82, body)
}

// appendMQTT appends a packet of less than 128 bytes.
func appendMQTT(b []byte, first byte, body []byte) []byte {
	return append(append(b, first, byte(len(body))), body...)
}

func appendMQTTString(b []byte, s string) []byte {
	return append(append(b, byte(len(s)>>8), byte(len(s))), s...)
}
