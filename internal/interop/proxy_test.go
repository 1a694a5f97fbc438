package interop

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A proxy stands before a door and a room. Each has two ways through it: as the
// proxy is by default, with timeouts of half a minute, and hasty, with
// timeouts that only heartbeats survive.
type proxy struct {
	door, hastyDoor string // http://127.0.0.1:…
	room            string
}

// hasty is the silence after which a hasty proxy cuts a stream.
const hasty = 1500 * time.Millisecond

// A front is one port of a proxy: the listening socket, which the proxy
// inherits, so that it serves as soon as it runs and nobody else takes the port.
type front struct {
	addr string
	file *os.File
}

func listen(t testing.TB) front {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	return front{ln.Addr().String(), f}
}

// host is what is behind http:// in an address.
func host(url string) string { return strings.TrimPrefix(url, "http://") }

// writeConf writes a configuration with the names in braces filled in.
func writeConf(t testing.TB, name, conf string, values map[string]string) (path string) {
	t.Helper()
	for k, v := range values {
		conf = strings.ReplaceAll(conf, "{"+k+"}", v)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nginx is started with nothing but proxy_pass, which buffers and speaks
// HTTP/1.0 to the server; only for WebSocket it is configured, as its
// documentation says.
func nginx(t testing.TB, d *door, r *room) proxy {
	t.Helper()
	fronts := []front{listen(t), listen(t), listen(t)}
	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	conf := writeConf(t, "nginx.conf", `
{user}
daemon off;
worker_processes 1;
pid {dir}/pid;
error_log stderr warn;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	server {
		listen {front0};
		location / { proxy_pass {door}; }
		location ~ ^/(echo|loop|chat|deaf|bye|beat)$ {
			proxy_pass {door};
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
		}
	}
	server {
		listen {front1};
		proxy_read_timeout {hasty};
		proxy_send_timeout {hasty};
		location / { proxy_pass {door}; }
		location /beat {
			proxy_pass {door};
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
		}
	}
	server {
		listen {front2};
		location / { proxy_pass {room}; }
		location /connect {
			proxy_pass {room};
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
		}
	}
	map $http_upgrade $connection_upgrade { default upgrade; "" close; }
}
`, map[string]string{
		"user": user, "dir": dir, "hasty": fmt.Sprintf("%dms", hasty.Milliseconds()), "door": d.url, "room": r.HTTPURL(),
		"front0": fronts[0].addr, "front1": fronts[1].addr, "front2": fronts[2].addr,
	})
	startWith(t, []*os.File{fronts[0].file, fronts[1].file, fronts[2].file},
		"env", "NGINX=3;4;5;", program(t, "nginx"), "-p", dir, "-e", "stderr", "-c", conf)
	return proxy{"http://" + fronts[0].addr, "http://" + fronts[1].addr, "http://" + fronts[2].addr}
}

// haproxy is started in mode http, with the timeouts that it asks for. By
// default it has the kernel hold back what it sends in a response that is not
// over (MSG_MORE), so each message comes 200 ms late; option http-no-delay
// makes that half a millisecond. The room and the hasty door are without, to
// see that nothing is held back for longer.
func haproxy(t testing.TB, d *door, r *room) proxy {
	t.Helper()
	fronts := []front{listen(t), listen(t), listen(t)}
	conf := writeConf(t, "haproxy.cfg", `
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	timeout tunnel 1h

listen door
	bind fd@3
	option http-no-delay
	server door {door}

listen hasty
	bind fd@4
	timeout client {hasty}
	timeout server {hasty}
	timeout tunnel {hasty}
	server door {door}

listen room
	bind fd@5
	server room {room}
`, map[string]string{"door": host(d.url), "room": host(r.HTTPURL()), "hasty": fmt.Sprintf("%dms", hasty.Milliseconds())})
	startWith(t, []*os.File{fronts[0].file, fronts[1].file, fronts[2].file}, "haproxy", "-db", "-f", conf)
	return proxy{"http://" + fronts[0].addr, "http://" + fronts[1].addr, "http://" + fronts[2].addr}
}

func TestNginx(t *testing.T) {
	t.Parallel()
	testProxy(t, nginx)
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	testProxy(t, haproxy)
}

func testProxy(t *testing.T, open func(testing.TB, *door, *room) proxy) {
	d, r := openDoor(t, false), openRoom(t, false)
	p := open(t, d, r)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"ws", func(t *testing.T) { suite(t, node(t, "ws.mjs", p.door)...) }},
		{"websockets", func(t *testing.T) { suite(t, python(t, "pywebsockets.py", p.door)...) }},
		{"eventsource", func(t *testing.T) { suite(t, node(t, "eventsource.mjs", p.door)...) }},
		{"room", func(t *testing.T) { testRoomThrough(t, p.room, r) }},
		{"at once", func(t *testing.T) { testAtOnce(t, p.door) }},
		{"heartbeats", func(t *testing.T) { testHeartbeats(t, p.hastyDoor) }},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t)
		})
	}
}

// testRoomThrough is the main job behind a proxy: everybody hears of every
// message at once, and nothing is left when they have gone.
func testRoomThrough(t *testing.T, url string, r *room) {
	var readers []*child
	for _, f := range formats {
		readers = append(readers, start(t, "curl", curlArgs("-H", "Accept: "+f.accept, url+"/channels/news")...))
	}
	r.publishTo(len(readers), "news", "both are there")
	socket := start(t, "node", node(t, "subscribe.mjs", url+"/connect", "news")[1:]...)
	socket.until(`{"op":"reply"`)
	poll := start(t, "curl", curlArgs(url+"/channels/news?wait=20s")...)
	r.publishUntil("news", "the poll is there", func() {
		if rest, code := poll.ends(); code != 0 || !strings.HasPrefix(rest, `{"messages":[{"op":"message"`) {
			t.Errorf("long-poll: curl ended with %d after %q", code, rest)
		}
	})
	for range 4 {
		// One after the other: the next is published when all have seen this.
		answer := decode[published](t, curl(t, "-d", "hello", url+"/channels/news"))
		for i, c := range append(readers, socket) {
			prefix := ""
			if i < len(formats) {
				prefix = formats[i].prefix
			}
			for m := (message{}); m.Position != answer.Position; {
				m = decode[message](t, strings.TrimPrefix(c.until(prefix+`{"op":"message"`), prefix))
			}
		}
	}
	for _, c := range append(readers, socket) {
		c.stop()
	}
	r.publishTo(0, "news", "all have left")
}

// direct returns a client that has a connection for each request.
func direct(t testing.TB) *http.Client {
	tr := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// A listener is a reader of a stream with a tag of its own.
type listener struct {
	t         testing.TB
	door, tag string
	http      *http.Client
	lines     *bufio.Reader
	leave     context.CancelFunc
}

// attend opens a stream.
func attend(t testing.TB, door, path, accept string) *listener {
	t.Helper()
	l := &listener{t: t, door: door, tag: rand.Text(), http: direct(t)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	l.leave = cancel
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", door+path+"?tag="+l.tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := l.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(got, accept) {
		t.Fatalf("%s %s", resp.Status, got)
	}
	l.lines = bufio.NewReader(resp.Body)
	return l
}

// line returns the next line.
func (l *listener) line() string {
	l.t.Helper()
	s, err := l.lines.ReadString('\n')
	if err != nil {
		l.t.Fatalf("the next line: %q %v", s, err)
	}
	return strings.TrimSuffix(s, "\n")
}

func (l *listener) until(line string) {
	l.t.Helper()
	for l.line() != line {
	}
}

// say makes the server send a message in the stream.
func (l *listener) say(text string) {
	l.t.Helper()
	resp, err := l.http.Post(l.door+"/say?tag="+l.tag, "text/plain", strings.NewReader(text))
	if err != nil {
		l.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		l.t.Fatal(resp.Status)
	}
}

// end returns how the server says that the stream ended.
func (l *listener) end() (code string) {
	l.t.Helper()
	resp, err := l.http.Get(l.door + "/end?tag=" + l.tag)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	var end struct{ Code string }
	if err := json.NewDecoder(resp.Body).Decode(&end); err != nil {
		l.t.Fatal(resp.Status, err)
	}
	return end.Code
}

// testAtOnce reads small messages one at a time: the next is sent when this
// was read, so a proxy that waits for more waits for ever. Then the reader
// leaves, and the server hears of it.
func testAtOnce(t *testing.T, door string) {
	for _, f := range []struct{ accept, want string }{
		{"text/event-stream", "data: %s"},
		{"application/x-ndjson", "%q"},
	} {
		t.Run(f.accept, func(t *testing.T) {
			t.Parallel()
			l := attend(t, door, "/beat", f.accept)
			for i := range 50 {
				text := fmt.Sprint("message ", i)
				l.say(text)
				l.until(fmt.Sprintf(f.want, text))
			}
			l.leave()
			if code := l.end(); code != "lost" && code != "normal" {
				t.Errorf("the server says that it ended with %s", code)
			}
		})
	}
}

// testHeartbeats has silent connections for longer than the proxy suffers
// silence. One without heartbeats shows that the proxy would cut them.
func testHeartbeats(t *testing.T, door string) {
	silent := attend(t, door, "/talk", "text/event-stream")
	socket := start(t, "node", node(t, "beat.mjs", door)[1:]...)
	for _, f := range []struct {
		*listener
		beat, want string
	}{
		{attend(t, door, "/beat", "text/event-stream"), ":", "data: still there"},
		{attend(t, door, "/beat", "application/x-ndjson"), "", `"still there"`},
	} {
		for range 2 * hasty / beat {
			f.until(f.beat)
		}
		f.say("still there")
		f.until(f.want)
	}
	if got, code := socket.ends(); code != 0 || got != "still there\n" {
		t.Errorf("WebSocket: node ended with %d after %q", code, got)
	}
	if rest, err := io.ReadAll(silent.lines); strings.Contains(string(rest), "event: close") {
		t.Errorf("the server ended the stream: %q %v", rest, err)
	}
	silent.end()
}
