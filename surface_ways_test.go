package longwire_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/ws"
)

// wholeSurface serves a node by all ways over HTTP, below a path.
func wholeSurface(t *testing.T) (url string, n *longwire.Node) {
	log := slog.New(slog.DiscardHandler)
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 2, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	n, err = longwire.New(&longwire.Options{Open: true, Engine: e, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := longwire.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/live/", http.StripPrefix("/live", n.Handler(ws.Way, stream.Way)))
	srv := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}
	served := make(chan error)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Close()
		<-served
		e.Close(context.Background())
		n.Close(context.Background())
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + ln.Addr().String() + "/live", n
}

// open sends a GET and returns its response, whose body is read line by line.
func open(t *testing.T, url string, header ...string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewScanner(resp.Body)
}

func publish(t *testing.T, url, channel, body string) {
	t.Helper()
	resp, err := http.Post(url+"/channels/"+channel, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || err != nil {
		t.Fatalf("%s %s %v", resp.Status, b, err)
	}
}

// until reads lines up to one that has the text.
func until(t *testing.T, lines *bufio.Scanner, text string) (seen []string) {
	t.Helper()
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if strings.Contains(lines.Text(), text) {
			return seen
		}
	}
	t.Fatalf("no %s, but %q (%v)", text, seen, lines.Err())
	return nil
}

// One token resumes all that a stream reads, over every kind of stream.
func TestSurfaceReading(t *testing.T) {
	url, _ := wholeSurface(t)
	publish(t, url, "a.x", "one")
	publish(t, url, "b", "two")
	resp, lines := open(t, url+"/channels/a.*,b?since=all", "Accept", "text/event-stream")
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	until(t, lines, `"data":"one"`)
	var id string
	for _, line := range until(t, lines, `"data":"two"`) {
		if at, ok := strings.CutPrefix(line, "id: "); ok {
			id = at
		}
	}
	for lines.Scan() && lines.Text() != "" {
		if at, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			id = at
		}
	}
	resp.Body.Close()
	publish(t, url, "a.y", "three")
	publish(t, url, "b", "four")
	for _, tt := range []struct {
		query  string
		header []string
	}{
		{"", []string{"Last-Event-ID", id, "Accept", "text/event-stream"}},
		{"?since=" + id, nil},
		{"", []string{"Longwire-Position", id}},
	} {
		_, lines := open(t, url+"/channels/a.*,b"+tt.query, tt.header...)
		seen := strings.Join(append(until(t, lines, `"data":"three"`), until(t, lines, `"data":"four"`)...), "\n")
		if strings.Contains(seen, `"data":"one"`) || strings.Contains(seen, `"data":"two"`) || strings.Contains(seen, `"op":"gap"`) {
			t.Errorf("after %s: %s", id, seen)
		}
	}
}

type pollAnswer struct {
	Answer   int
	Messages []struct{ Op, Data, Session, Secret, Code string }
	Position string
}

func readPoll(t *testing.T, resp *http.Response) (a pollAnswer) {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s %v", resp.Status, b, err)
	}
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return a
}

func TestSurfacePolling(t *testing.T) {
	url, _ := wholeSurface(t)
	publish(t, url, "a", "one")
	resp, _ := open(t, url+"/channels/a?wait=0")
	if a := readPoll(t, resp); len(a.Messages) != 0 || a.Position == "" || a.Position != resp.Header.Get("Longwire-Position") {
		t.Errorf("%+v %v", a, resp.Header)
	}
	resp, _ = open(t, url+"/channels/a?wait=10s&since=all")
	a := readPoll(t, resp)
	if len(a.Messages) != 1 || a.Messages[0].Data != "one" {
		t.Fatalf("%+v", a)
	}
	for i := range 20 {
		data := fmt.Sprint(i)
		publish(t, url, "a", data)
		resp, _ := open(t, url+"/channels/a?wait=10s", "Longwire-Position", a.Position)
		if a = readPoll(t, resp); len(a.Messages) != 1 || a.Messages[0].Data != data {
			t.Fatalf("%d: %+v", i, a)
		}
	}
}

// What is forgotten is not to be had by a position from before, however recent.
func TestSurfaceForgets(t *testing.T) {
	url, _ := wholeSurface(t)
	publish(t, url, "a", "one")
	resp, _ := open(t, url+"/channels/a?since=all&wait=1s")
	begun := readPoll(t, resp).Position
	publish(t, url, "a", "two")
	publish(t, url, "b", "three")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url+"/channels/a/history", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := http.DefaultClient.Do(req)
	if err != nil || deleted.StatusCode != http.StatusNoContent {
		t.Fatal(deleted, err)
	}
	deleted.Body.Close()
	resp, _ = open(t, url+"/channels/a?since="+begun+"&wait=1s")
	if a := readPoll(t, resp); len(a.Messages) != 1 || a.Messages[0].Op != "gap" || resp.Header.Get("Longwire-Gap") != "a" {
		t.Errorf("%+v, Longwire-Gap %q", a, resp.Header.Get("Longwire-Gap"))
	}
	resp, _ = open(t, url+"/channels/b?since="+begun+"&wait=1s")
	if a := readPoll(t, resp); len(a.Messages) != 1 || a.Messages[0].Op != "message" || resp.Header.Get("Longwire-Gap") != "" {
		t.Errorf("of the other channel: %+v", a)
	}
}

// A session by long-polling, and its frames by POST.
func TestSurfaceSession(t *testing.T) {
	url, _ := wholeSurface(t)
	resp, err := http.Post(url+"/connect", "application/x-ndjson", strings.NewReader(`{"op":"connect","id":1,"subscribe":[{"channel":"a"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	a := readPoll(t, resp)
	if len(a.Messages) != 1 || a.Messages[0].Op != "connected" {
		t.Fatalf("%+v", a)
	}
	session, secret := a.Messages[0].Session, a.Messages[0].Secret
	post := func(secret, seq, frames string) int {
		req, err := http.NewRequest("POST", url+"/connect/"+session, strings.NewReader(frames))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Longwire-Secret", secret)
		req.Header.Set("Longwire-Seq", seq)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, tt := range []struct {
		secret, seq string
		want        int
	}{{secret, "1", 202}, {secret, "1", 202}, {strings.Repeat("A", 22), "2", 403}, {"", "2", 403}, {secret, "x", 400}} {
		if got := post(tt.secret, tt.seq, `{"op":"publish","id":2,"channel":"a","type":"text","data":"hi"}`); got != tt.want {
			t.Errorf("posting number %s: %d, want %d", tt.seq, got, tt.want)
		}
	}
	var ops []string
	for ack := a.Answer; len(ops) < 2; ack = a.Answer {
		resp, _ := open(t, fmt.Sprintf("%s/connect/%s?wait=10s&ack=%d", url, session, ack), "Longwire-Secret", secret)
		a = readPoll(t, resp)
		for _, m := range a.Messages {
			ops = append(ops, m.Op+" "+m.Data)
		}
	}
	if s := strings.Join(ops, ","); s != "message hi,reply " && s != "reply ,message hi" {
		t.Errorf("heard %s", s)
	}
	if resp, _ := open(t, url+"/connect/"+session, "Longwire-Secret", "x"); resp.StatusCode != 403 {
		t.Errorf("polling with another secret: %s", resp.Status)
	}
}

// What cannot be is refused before the handshake of a WebSocket.
func TestSurfaceWebSocketRefused(t *testing.T) {
	url, _ := wholeSurface(t)
	for path, want := range map[string]int{
		"/channels/a..b": 400, "/channels/a?since=x": 400, "/connect?channel=a..b": 400, "/channels/a": 101, "/connect?channel=a": 101,
	} {
		resp, _ := open(t, url+path, "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
}
