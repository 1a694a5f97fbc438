package park

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAppendHead(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	const date = "Date: Fri, 02 Jan 2026 02:04:05 GMT\r\n"
	for _, tt := range []struct {
		name, want string
		head       Head
	}{
		{"a stream on HTTP/1.1", "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: chunked\r\n\r\n",
			Head{Minor: 1, Length: -1}},
		{"a last one", "HTTP/1.1 200 OK\r\n" + date + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
			Head{Minor: 1, Length: -1, Close: true}},
		{"a stream on HTTP/1.0", "HTTP/1.0 200 OK\r\n" + date + "Connection: close\r\n\r\n",
			Head{Length: -1}},
		{"a body on HTTP/1.0", "HTTP/1.0 404 Not Found\r\n" + date + "Content-Length: 9\r\nConnection: keep-alive\r\n\r\n",
			Head{Status: 404, Length: 9}},
		{"no content", "HTTP/1.1 204 No Content\r\n" + date + "\r\n",
			Head{Status: 204, Minor: 1, Length: -1}},
		{"an upgrade", "HTTP/1.1 101 Switching Protocols\r\n" + date + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
			Head{Status: 101, Minor: 1, Header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}}},
		{"headers", "HTTP/1.1 200 OK\r\n" + date + "A: 1\r\nA: 2\r\nB: b\tc\r\nContent-Length: 3\r\n\r\n",
			Head{Minor: 1, Length: 3, Header: http.Header{"B": {" b\tc "}, "A": {"1", "2"}}}},
		{"headers that are not theirs to set", "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 3\r\n\r\n",
			Head{Minor: 1, Length: 3, Header: http.Header{
				"Connection": {"close"}, "Content-Length": {"99"}, "Transfer-Encoding": {"chunked"}, "Keep-Alive": {"x"},
				"Upgrade": {"h2c"}, "Trailer": {"T"}, http.TrailerPrefix + "T": {"v"},
			}}},
		{"a date of its own", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
			Head{Minor: 1, Header: http.Header{"Date": {"x"}}}},
		{"no date", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			Head{Minor: 1, Header: http.Header{"Date": nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendHead([]byte("before "), now, &tt.head)
			if err != nil || string(got) != "before "+tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestAppendHeadRefuses(t *testing.T) {
	for name, h := range map[string]http.Header{
		"line break in a value":    {"X": {"a\r\nSet-Cookie: b"}},
		"bare line feed":           {"X": {"a\nb"}},
		"bare carriage return":     {"X": {"a\rb"}},
		"NUL":                      {"X": {"a\x00b"}},
		"line break in a name":     {"X: a\r\nY": {"b"}},
		"space in a name":          {"X Y": {"b"}},
		"empty name":               {"": {"b"}},
		"name of another alphabet": {"Ü": {"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := AppendHead([]byte("before"), time.Now(), &Head{Header: h}); !errors.Is(err, ErrHeader) || string(got) != "before" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Whatever a header holds, the head is either refused or read back as it was.
func FuzzAppendHead(f *testing.F) {
	f.Add("Content-Type", "text/plain", 200, int64(5), 1)
	f.Add("X", "a\r\nb", 204, int64(-1), 0)
	f.Fuzz(func(t *testing.T, name, value string, status int, length int64, minor int) {
		if status < 100 || status > 999 || minor < 0 {
			return
		}
		head := &Head{Status: status, Minor: minor, Length: length, Header: http.Header{name: {value}}}
		b, err := AppendHead(nil, time.Now(), head)
		if err != nil {
			return
		}
		if n := bytes.Count(b, []byte("\n")); n != bytes.Count(b, []byte("\r\n")) || n != bytes.Count(b, []byte("\r")) || n > 6 {
			t.Fatalf("lines of %q", b)
		}
		if status < 200 {
			return // ReadResponse wants more to follow
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		resp.Body.Close()
		if owned(name, status) || strings.HasPrefix(name, http.TrailerPrefix) || http.CanonicalHeaderKey(name) == "Date" {
			return
		}
		if got := resp.Header.Get(name); got != strings.Trim(value, " \t") {
			t.Fatalf("%q came back as %q", value, got)
		}
	})
}
