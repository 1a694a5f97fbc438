package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// curlArgs are those that every call of curl has.
func curlArgs(args ...string) []string {
	return append([]string{"-q", "-sS", "-N", "--max-time", strconv.Itoa(int(patience.Seconds()))}, args...)
}

func curl(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, "curl", curlArgs(args...)...)
}

// versions are the ways in which curl speaks HTTP.
var versions = []struct {
	name   string
	secure bool
	args   []string
	status string // what a response begins with
}{
	{"1.1", false, nil, "HTTP/1.1 200 OK"},
	{"1.0", false, []string{"--http1.0"}, "HTTP/1.0 200 OK"},
	{"1.1 TLS", true, []string{"--http1.1"}, "HTTP/1.1 200 OK"},
	{"1.0 TLS", true, []string{"--http1.0"}, "HTTP/1.0 200 OK"},
	{"2", true, []string{"--http2"}, "HTTP/2 200"},
}

// formats are the streams of messages.
var formats = []struct {
	name, accept, prefix string // what the line with a message begins with
	opening              string // what the first line begins with, if anything is said unasked
}{
	{"SSE", "text/event-stream", "data: ", "retry: "},
	{"NDJSON", "application/x-ndjson", "", ""},
}

// TestCurlStreams reads streams with curl, which hears of each message at once,
// and of the end of the server in order.
func TestCurlStreams(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			r := openRoom(t, v.secure)
			args := append([]string{"--cacert", r.cert}, v.args...)
			if !v.secure {
				args = v.args
			}
			var readers []*child
			for _, f := range formats {
				c := start(t, "curl", curlArgs(append(args, "-i", "-H", "Accept: "+f.accept, r.HTTPURL()+"/channels/news")...)...)
				readers = append(readers, c)
			}
			r.publishTo(len(readers), "news", "both are there") // before that curl keeps the header to itself
			for i, f := range formats {
				c := readers[i]
				header := readHeader(c)
				if header[0] != v.status && header[0] != v.status+" " {
					t.Errorf("%s: status line %q, want %q", f.name, header[0], v.status)
				}
				wantHeader(t, header, "content-type", f.accept)
				wantHeader(t, header, "cache-control", "no-cache, no-transform")
				wantHeader(t, header, "x-accel-buffering", "no")
				if f.opening != "" {
					c.until(f.opening)
				}
			}
			poll := start(t, "curl", curlArgs(append(args, r.HTTPURL()+"/channels/news?wait=20s")...)...)
			r.publishUntil("news", "the poll is there", func() {
				rest, code := poll.ends()
				if a := decode[struct{ Messages []message }](t, rest); code != 0 || len(a.Messages) == 0 || string(a.Messages[0].Data) != `"the poll is there"` {
					t.Errorf("long-poll: exit code %d, %s", code, rest)
				}
			})
			for i, body := range []string{`{"a": [1, 2.50]}`, "Grüße, 世界", strings.Repeat("long ", 20000)} {
				file := filepath.Join(t.TempDir(), "body")
				if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
					t.Fatal(err)
				}
				answer := decode[published](t, curl(t, append(args, "--data-binary", "@"+file, r.HTTPURL()+"/channels/news")...))
				if answer.Channel != "news" || answer.Position == "" {
					t.Errorf("publication %d: %+v", i, answer)
				}
				for j, f := range formats {
					var m message
					for m.Position != answer.Position { // those before were to find out who is there
						m = decode[message](t, strings.TrimPrefix(readers[j].until(f.prefix+`{"op":"message"`), f.prefix))
					}
					want := strconv.Quote(body)
					if i == 0 {
						want = `{"a":[1,2.50]}`
					}
					if string(m.Data) != want {
						t.Errorf("%s: message %d is %.100s, want %.100s", f.name, i, m.Data, want)
					}
				}
			}
			r.stop()
			for j, f := range formats {
				rest, code := readers[j].ends()
				if !strings.Contains(rest, "draining") || code != 0 {
					t.Errorf("%s: curl ended with %d after %q", f.name, code, rest)
				}
			}
		})
	}
}

// readHeader returns the lines of a header in front of a stream.
func readHeader(c *child) (lines []string) {
	c.t.Helper()
	for {
		s := c.line()
		if s == "" {
			return lines
		}
		lines = append(lines, s)
	}
}

func wantHeader(t testing.TB, header []string, name, want string) {
	t.Helper()
	for _, h := range header {
		if n, v, _ := strings.Cut(h, ": "); strings.EqualFold(n, name) {
			if !strings.HasPrefix(v, want) {
				t.Errorf("%s: %s, want %s", n, v, want)
			}
			return
		}
	}
	t.Errorf("no %s in %q", name, header)
}

// TestCurlRequests asks what is not a stream.
func TestCurlRequests(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			r := openRoom(t, v.secure)
			for _, tt := range []struct {
				name   string
				args   []string
				path   string
				status int
				want   []string // in the header or the body
			}{
				{"head of a stream", []string{"-I", "-H", "Accept: text/event-stream"}, "/channels/news", 200, []string{"text/event-stream"}},
				{"head of NDJSON", []string{"-I"}, "/channels/news", 200, []string{"application/x-ndjson"}},
				{"head of the page", []string{"-I"}, "/", 200, []string{"text/html"}},
				{"options", []string{"-X", "OPTIONS"}, "/channels/news", 204, []string{"GET", "HEAD", "POST"}},
				{"wrong method", []string{"-X", "PUT", "-d", "x"}, "/channels/news", 405, []string{"llow: GET", `"code":"method_not_allowed"`}},
				{"wrong method for the page", []string{"-d", "x"}, "/", 405, []string{"llow: GET", `"code":"method_not_allowed"`}},
				{"nothing there", nil, "/nowhere", 404, []string{"application/problem+json", `"code":"not_found"`}},
				{"bad channel", nil, "/channels/a..b", 400, []string{"application/problem+json", `"code":"bad_channel"`}},
				{"bad JSON", []string{"-d", "{", "-H", "Content-Type: application/json"}, "/channels/news", 400, []string{"application/problem+json"}},
				{"a poll that hears nothing", nil, "/channels/news?wait=10ms", 200, []string{`{"messages":[],"position":"`}},
				{"a host that is not ours", []string{"-H", "Host: foreign.example"}, "/channels/news?wait=10ms", 421, []string{`"code":"bad_host"`}},
				{"a page elsewhere", []string{"-H", "Origin: https://foreign.example", "-d", "x"}, "/channels/news", 403, []string{`"code":"bad_origin"`}},
			} {
				args := append([]string{"-i", "-w", "\nstatus %{http_code}"}, v.args...)
				if v.secure {
					args = append(args, "--cacert", r.cert)
				}
				got := curl(t, append(append(args, tt.args...), r.HTTPURL()+tt.path)...)
				for _, want := range append(tt.want, "status "+strconv.Itoa(tt.status)) {
					if !strings.Contains(got, want) {
						t.Errorf("%s: no %q in:\n%s", tt.name, want, got)
					}
				}
			}
		})
	}
}

// TestCurlContinue lets curl wait for leave to send its body.
func TestCurlContinue(t *testing.T) {
	t.Parallel()
	r := openRoom(t, false)
	got := curl(t, "-v", "--stderr", "-", "-H", "Expect: 100-continue", "--expect100-timeout", "20",
		"-d", strings.Repeat("x", 100000), r.HTTPURL()+"/channels/news")
	if !strings.Contains(got, "< HTTP/1.1 100 Continue") || !strings.Contains(got, "< HTTP/1.1 200 OK") {
		t.Errorf("curl said:\n%s", got)
	}
	got = curl(t, "-v", "--stderr", "-", "-H", "Expect: 100-continue", "--expect100-timeout", "20",
		"-d", strings.Repeat("x", 100000), r.HTTPURL()+"/channels/bad..channel")
	if strings.Contains(got, "< HTTP/1.1 100 Continue") || !strings.Contains(got, "< HTTP/1.1 400 Bad Request") {
		t.Errorf("curl said of a bad channel:\n%s", got)
	}
}

// TestCurlKeepsConnection reads one stream after the other on one connection:
// each is parked, ends, and gives its connection back.
func TestCurlKeepsConnection(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		if strings.HasPrefix(v.name, "1.0") {
			continue // a stream ends with its connection
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			d, r := openDoor(t, v.secure), openRoom(t, v.secure)
			for _, tt := range []struct {
				name, url string
				args      []string
				want      string // in each answer
			}{
				{"SSE", d.url + "/bye?text=one&text=two&reason=enough", []string{"-H", "Accept: text/event-stream"},
					"data: one\n\ndata: two\n\nevent: close\ndata: {\"code\":\"normal\",\"reason\":\"enough\""},
				{"NDJSON", d.url + "/bye?text=one&text=two&reason=enough", nil, "\"one\"\n\"two\"\n{\"op\":\"close\",\"code\":\"normal\""},
				{"long-poll", r.HTTPURL() + "/channels/news?wait=10ms", nil, `{"messages":[],"position":"`},
			} {
				const times = 4
				args := append([]string{"-w", "\nconnects=%{num_connects}\n"}, append(v.args, tt.args...)...)
				if v.secure {
					args = append(args, "-k")
				}
				for i := range times {
					args = append(args, fmt.Sprintf("%s&%d", tt.url, i))
				}
				got := curl(t, args...)
				if n := strings.Count(got, tt.want); n != times {
					t.Errorf("%s: %d of %d answers are right:\n%s", tt.name, n, times, got)
				}
				if n := strings.Count(got, "\nconnects=0\n"); n != times-1 {
					t.Errorf("%s: %d of %d requests took the connection again:\n%s", tt.name, n, times-1, got)
				}
			}
		})
	}
}

// TestCurlTalksBack has a conversation: a stream, and POST to talk back.
func TestCurlTalksBack(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, v.secure)
			args := append([]string{"-k"}, v.args...)
			c := start(t, "curl", curlArgs(append(args, "-H", "Accept: text/event-stream", d.url+"/talk")...)...)
			c.until("event: open")
			opening := decode[struct{ Link, Secret string }](t, strings.TrimPrefix(c.until("data: "), "data: "))
			say := func(text string, more ...string) string {
				more = append(append(args, more...), "-w", "%{http_code}", "-d", text, d.url+"/talk?link="+opening.Link)
				return curl(t, more...)
			}
			for _, text := range []string{"hello", `{"a":1}`} {
				if got := say(text, "-H", "Longwire-Secret: "+opening.Secret); got != "202" {
					t.Errorf("talking back was answered with %s", got)
				}
				if got := c.until("data: "); got != "data: "+text {
					t.Errorf("%q came back", got)
				}
			}
			if got := say("x", "-H", "Longwire-Secret: guess"); !strings.HasSuffix(got, "403") {
				t.Errorf("a wrong secret was answered with %s", got)
			}
		})
	}
}
