package longwire

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

var noLog = slog.New(slog.DiscardHandler)

// A surfaced is a node's surface behind a real server, below a path of its own.
type surfaced struct {
	*httptest.Server
	t    testing.TB
	node *Node
}

func serveSurface(t testing.TB, o *Options, ways ...Way) *surfaced {
	t.Helper()
	n := newNode(t, o)
	mux := http.NewServeMux()
	mux.Handle("/lw/", http.StripPrefix("/lw", n.Handler(ways...)))
	s := &surfaced{httptest.NewServer(mux), t, n}
	t.Cleanup(s.Close)
	return s
}

func newNode(t testing.TB, o *Options) *Node {
	t.Helper()
	if o == nil {
		o = &Options{Open: true}
	}
	e, err := NewEngine(&EngineOptions{Loops: 1, Goroutines: true, Log: noLog})
	if err != nil {
		t.Fatal(err)
	}
	o.Engine = e
	if o.Log == nil {
		o.Log = noLog
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close(context.Background())
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// An answered is a response that has come whole.
type answered struct {
	status int
	header http.Header
	body   string
}

// do sends a request. Headers are names and values.
func (s *surfaced) do(method, path, body string, header ...string) answered {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL+"/lw"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header, string(b)}
}

// code is the code of a problem.
func (a answered) code() wire.Code {
	var p struct{ Code wire.Code }
	if a.header.Get("Content-Type") == "application/problem+json" {
		_ = json.Unmarshal([]byte(a.body), &p)
	}
	return p.Code
}

// decode reads an answer in JSON.
func decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%.300q is no JSON: %v", text, err)
	}
	return v
}

// An oddBroker is a memory broker with habits of its own.
type oddBroker struct {
	Broker
	publish func(p *Publication, done func(*Publication, error))
}

func newOddBroker(t testing.TB) *oddBroker {
	b := &oddBroker{Broker: NewMemory(nil)}
	b.publish = b.Broker.Publish
	t.Cleanup(func() { b.Close(context.Background()) })
	return b
}

func (b *oddBroker) Publish(p *Publication, done func(*Publication, error)) { b.publish(p, done) }

// A fakeWay takes requests of one kind and says what reached it.
type fakeWay struct{ takes string }

func (f fakeWay) Takes(r *http.Request) bool { return r.Header.Get("Accept") == f.takes }

func (f fakeWay) Handler(o *WayOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := "reader"
		if o.Session {
			what = "session"
		}
		io.WriteString(w, f.takes+" "+what+" "+r.Method+" "+r.URL.RequestURI())
	})
}

func TestSurfaceWays(t *testing.T) {
	s := serveSurface(t, nil, fakeWay{"a"}, fakeWay{"b"})
	for _, tt := range []struct{ method, path, accept, want string }{
		{"GET", "/channels/x,y.%3E?since=all", "a", "a reader GET /channels/x,y.%3E?since=all"},
		{"GET", "/channels/x", "b", "b reader GET /channels/x"},
		{"GET", "/connect?channel=x&channel=*", "b", "b session GET /connect?channel=x&channel=*"},
		{"POST", "/connect", "a", "a session POST /connect"},
	} {
		if a := s.do(tt.method, tt.path, "", "Accept", tt.accept); a.status != 200 || a.body != tt.want {
			t.Errorf("%s %s: %+v, want %s", tt.method, tt.path, a, tt.want)
		}
	}
	a := s.do("GET", "/connect", "", "Accept", "c")
	if a.status != http.StatusUpgradeRequired || a.code() != wire.CodeBadUpgrade || a.header.Get("Upgrade") != "websocket" {
		t.Errorf("nobody takes it: %+v", a)
	}
	if a := s.do("GET", "/channels/x", "", "Upgrade", "h2c", "Connection", "Upgrade"); a.status != 400 || a.code() != wire.CodeBadUpgrade {
		t.Errorf("an upgrade that nobody takes: %+v", a)
	}
}

// Bad input gets a status and a stable code, whatever the way.
func TestSurfaceBadRequests(t *testing.T) {
	s := serveSurface(t, nil, fakeWay{""})
	session := "/connect/" + strings.Repeat("A", 22)
	many := strings.Repeat(",x", maxNames)
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     wire.Code
	}{
		{"the root", "GET", "/", "", nil, 404, wire.CodeNotFound},
		{"no channel", "GET", "/channels/", "", nil, 404, wire.CodeNotFound},
		{"below a channel", "GET", "/channels/x/y", "", nil, 404, wire.CodeNotFound},
		{"below history", "GET", "/channels/x/history/y", "", nil, 404, wire.CodeNotFound},
		{"a bad session id", "GET", "/connect/x", "", nil, 404, wire.CodeNotFound},
		{"below a session", "GET", session + "/x", "", nil, 404, wire.CodeNotFound},

		{"reading a bad name", "GET", "/channels/a%20b", "", nil, 400, wire.CodeBadChannel},
		{"reading a bad pattern", "GET", "/channels/%3E.a", "", nil, 400, wire.CodeBadChannel},
		{"one of two is bad", "GET", "/channels/a,b..c", "", nil, 400, wire.CodeBadChannel},
		{"one twice", "GET", "/channels/a,b,a", "", nil, 409, wire.CodeAlreadySubscribed},
		{"too many", "GET", "/channels/x" + many, "", nil, 400, wire.CodeBadChannel},
		{"bad since", "GET", "/channels/x?since=yesterday", "", nil, 400, wire.CodeBadRequest},
		{"bad Longwire-Position", "GET", "/channels/x", "", []string{"Longwire-Position", "7"}, 400, wire.CodeBadRequest},
		{"bad query", "GET", "/channels/x?since=%zz", "", nil, 400, wire.CodeBadRequest},

		{"connecting to a bad name", "GET", "/connect?channel=a..b", "", nil, 400, wire.CodeBadChannel},
		{"connecting twice to one", "GET", "/connect?channel=a&channel=a", "", nil, 409, wire.CodeAlreadySubscribed},
		{"connecting, bad since", "POST", "/connect?channel=a&since=-1h", "", nil, 400, wire.CodeBadRequest},
		{"connecting, bad query", "GET", "/connect?a;b", "", nil, 400, wire.CodeBadRequest},

		{"publishing to a bad name", "POST", "/channels/a..b", "x", nil, 400, wire.CodeBadChannel},
		{"publishing to a pattern", "POST", "/channels/a.*", "x", nil, 400, wire.CodeBadChannel},
		{"publishing to two", "POST", "/channels/a,b", "x", nil, 400, wire.CodeBadChannel},
		{"not JSON", "POST", "/channels/a", "{x}", []string{"Content-Type", "application/json"}, 400, wire.CodeBadRequest},
		{"no JSON at all", "POST", "/channels/a", "", []string{"Content-Type", "application/json"}, 400, wire.CodeBadRequest},
		{"not UTF-8", "POST", "/channels/a", "\xff", []string{"Content-Type", "text/plain"}, 400, wire.CodeBadUTF8},
		{"other charset", "POST", "/channels/a", "x", []string{"Content-Type", "text/plain; charset=latin1"}, 415, wire.CodeUnsupportedData},
		{"no type", "POST", "/channels/a", "x", []string{"Content-Type", "/;"}, 400, wire.CodeBadRequest},
		{"a form", "POST", "/channels/a", "x", []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, wire.CodeUnsupportedData},
		{"compressed", "POST", "/channels/a", "x", []string{"Content-Encoding", "gzip"}, 415, wire.CodeUnsupportedData},
		{"too large", "POST", "/channels/a", strings.Repeat("x", wire.MaxMessage+1), nil, 413, wire.CodeTooLarge},
		{"a bad key", "POST", "/channels/a", "x", []string{"Idempotency-Key", `"x`}, 400, wire.CodeBadRequest},
		{"two keys", "POST", "/channels/a", "x", []string{"Idempotency-Key", "x", "Idempotency-Key", "y"}, 400, wire.CodeBadRequest},
		{"large headers", "POST", "/channels/a", "x", []string{"Longwire-Header-A", strings.Repeat("x", wire.MaxHeaderBytes)}, 400, wire.CodeBadRequest},
		{"a batch to a bad name", "POST", "/channels/a..b", "{}", []string{"Content-Type", "application/x-ndjson"}, 400, wire.CodeBadChannel},
		{"a batch with a key", "POST", "/channels/a", "{}", []string{"Content-Type", "application/x-ndjson", "Idempotency-Key", "k"}, 400, wire.CodeBadRequest},
		{"a batch with a header", "POST", "/channels/a", "{}", []string{"Content-Type", "application/x-ndjson", "Longwire-Header-A", "k"}, 400, wire.CodeBadRequest},

		{"history of a bad name", "GET", "/channels/a..b/history", "", nil, 400, wire.CodeBadChannel},
		{"history of two", "GET", "/channels/a,b/history", "", nil, 400, wire.CodeBadChannel},
		{"history, bad since", "GET", "/channels/a/history?since=x", "", nil, 400, wire.CodeBadRequest},
		{"history, bad limit", "GET", "/channels/a/history?limit=x", "", nil, 400, wire.CodeBadRequest},
		{"history, no limit", "GET", "/channels/a/history?limit=0", "", nil, 400, wire.CodeBadRequest},
		{"history, bad query", "GET", "/channels/a/history?%", "", nil, 400, wire.CodeBadRequest},
		{"deleting that of a pattern", "DELETE", "/channels/a.*/history", "", nil, 400, wire.CodeBadChannel},
		{"presence of a bad name", "GET", "/channels/a..b/presence", "", nil, 400, wire.CodeBadChannel},
		{"presence", "GET", "/channels/a/presence", "", nil, 404, wire.CodeNotFound},

		{"polling nobody", "GET", session, "", []string{"Longwire-Secret", "x"}, 410, wire.CodeSessionMoved},
		{"posting to nobody", "POST", session, "", []string{"Longwire-Secret", "x"}, 410, wire.CodeSessionMoved},
		{"no number", "POST", session, "", []string{"Longwire-Seq", "x"}, 400, wire.CodeBadRequest},
		{"zero", "POST", session, "", []string{"Longwire-Seq", "0"}, 400, wire.CodeBadRequest},
		{"a large number", "POST", session, "", []string{"Longwire-Seq", "9007199254740992"}, 400, wire.CodeBadRequest},
		{"two numbers", "POST", session, "", []string{"Longwire-Seq", "1", "Longwire-Seq", "2"}, 400, wire.CodeBadRequest},
		{"posting a form", "POST", session, "", []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, wire.CodeUnsupportedData},
		{"posting too much", "POST", session, strings.Repeat("x", wire.MaxFrame(0)+1), nil, 413, wire.CodeTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.do(tt.method, tt.path, tt.body, tt.header...)
			if a.status != tt.status || a.code() != tt.code {
				t.Errorf("%d %s, want %d %s", a.status, a.body, tt.status, tt.code)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header %v", a.header)
			}
		})
	}
}

func TestSurfaceMethods(t *testing.T) {
	s := serveSurface(t, nil, fakeWay{""})
	for path, allow := range map[string]string{
		"/connect":                            "GET, HEAD, POST, OPTIONS",
		"/connect/" + strings.Repeat("A", 22): "GET, HEAD, POST, OPTIONS",
		"/channels/x":                         "GET, HEAD, POST, OPTIONS",
		"/channels/x/history":                 "GET, HEAD, DELETE, OPTIONS",
		"/channels/x/presence":                "GET, HEAD, OPTIONS",
	} {
		if a := s.do("OPTIONS", path, ""); a.status != 204 || a.header.Get("Allow") != allow {
			t.Errorf("OPTIONS %s: %d, Allow %q, want %q", path, a.status, a.header.Get("Allow"), allow)
		}
		for _, method := range []string{"PUT", "BREW"} {
			if a := s.do(method, path, "x"); a.status != 405 || a.header.Get("Allow") != allow || a.code() != wire.CodeMethodNotAllowed {
				t.Errorf("%s %s: %+v, want Allow %q", method, path, a, allow)
			}
		}
	}
	if a := s.do("HEAD", "/channels/x/history", ""); a.status != 200 || a.body != "" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %+v", a)
	}
}

// A node that is not open wants a session of whoever reads or publishes.
func TestSurfaceNotOpen(t *testing.T) {
	s := serveSurface(t, &Options{}, fakeWay{""})
	for _, tt := range []struct{ method, path string }{
		{"GET", "/channels/x"},
		{"GET", "/channels/@user"},
		{"POST", "/channels/x"},
		{"POST", "/channels/@user"},
		{"GET", "/channels/x/history"},
		{"DELETE", "/channels/x/history"},
		{"GET", "/channels/x/presence"},
	} {
		if a := s.do(tt.method, tt.path, "x"); a.status != 403 || a.code() != wire.CodeForbidden {
			t.Errorf("%s %s: %+v, want 403", tt.method, tt.path, a)
		}
	}
	if a := s.do("GET", "/connect", ""); a.status != 200 {
		t.Errorf("connecting: %+v", a)
	}
}

// keeper is a broker that keeps history of some channels.
type keeper struct{ Broker }

func (keeper) Keeps(channel string) bool { return strings.HasPrefix(channel, "kept") }

func TestSurfaceNeedsHistory(t *testing.T) {
	b := newOddBroker(t)
	s := serveSurface(t, &Options{Open: true, Broker: keeper{b}}, fakeWay{""})
	for path, want := range map[string]int{
		"/channels/kept?wait=1s": 200, "/channels/kept,other?wait=1s": 409, "/channels/other": 200, "/channels/other?wait=0": 409,
	} {
		a := s.do("GET", path, "")
		if a.status != want || want == 409 && a.code() != wire.CodeNeedsHistory {
			t.Errorf("%s: %+v, want %d", path, a, want)
		}
	}
}
