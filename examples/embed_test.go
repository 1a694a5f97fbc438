package examples

import (
	"io"
	"net/http"
	"syscall"
	"testing"
)

// TestEmbed votes by each of the program's ways, hears of it, and is told when the
// program ends.
func TestEmbed(t *testing.T) {
	process, exited := start(t, "embed", []string{httpAddr})
	ann := bySSE(t, "ann", "/live/connect?channel=votes&since=last:1", "")
	bob := byWS(t, "bob", "/live/connect?channel=votes&since=last:1")
	bob.next("connected")

	if got := ask(t, http.MethodPost, "/votes/tea"); got != `200 {"tea":1,"coffee":0}` {
		t.Errorf("a vote by POST: %s", got)
	}
	bob.say(`{"op":"call","id":1,"method":"vote","data":"coffee"}`)
	if f := bob.next("reply"); f.ID != 1 || string(f.Data) != `{"tea":1,"coffee":1}` {
		t.Errorf("a vote by a call: %+v %s", f, f.Data)
	}
	for _, g := range []*guest{ann, bob} {
		for f := g.next("message"); string(f.Data) != `{"tea":1,"coffee":1}`; f = g.next("message") {
		}
	}
	bob.say(`{"op":"call","id":2,"method":"vote","data":"milk"}`)
	if f := bob.next("error"); f.ID != 2 || f.Code != "bad_request" {
		t.Errorf("another vote: %+v", f)
	}
	bob.say(`{"op":"publish","id":3,"channel":"votes","data":{"tea":1000}}`)
	if f := bob.next("error"); f.ID != 3 || f.Code != "forbidden" {
		t.Errorf("forged votes: %+v", f)
	}
	for path, want := range map[string]string{
		"/votes":               `200 {"tea":1,"coffee":1}`,
		"/live/nothing":        "404 ",
		"/live/channels/votes": "403 ", // reading takes a session
		"/connect":             "404 ",
	} {
		if got := ask(t, http.MethodGet, path); len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%s: %s", path, got)
		}
	}

	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if f := ann.next("close"); f.Code != "draining" {
		t.Errorf("ann was told %+v", f)
	}
	if f := bob.next("close"); f.ID != 4000 {
		t.Errorf("bob was told %+v", f)
	}
	<-exited
}

// ask returns the status and the body of an answer, without its last line end.
func ask(t *testing.T, method, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+httpAddr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p); n > 0 && p[n-1] == '\n' {
		p = p[:n-1]
	}
	return resp.Status[:3] + " " + string(p)
}
