package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A browser is a headless Chromium, spoken to over a pipe in the DevTools
// protocol: JSON objects that end with NUL. One thing is asked at a time.
type browser struct {
	*child
	to     *os.File
	from   *os.File
	in     *bufio.Reader
	lastID int
}

// openBrowser starts a browser for which the hosts of .test are this machine.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	program(t, "chromium")
	theirIn, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{to: to, from: from, in: bufio.NewReader(from)}
	b.child = startWith(t, []*os.File{theirIn, theirOut}, "chromium",
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-breakpad", "--no-first-run", "--no-default-browser-check", "--no-proxy-server", "--mute-audio",
		"--ignore-certificate-errors", "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--user-data-dir="+t.TempDir(), "about:blank")
	t.Cleanup(func() {
		b.call("", "Browser.close", nil)
		b.cmd.Wait()
		to.Close()
		from.Close()
	})
	return b
}

// packet is what the browser says.
type packet struct {
	ID        int
	Method    string
	SessionID string
	Params    json.RawMessage
	Result    json.RawMessage
	Error     *struct{ Message string }
}

// next reads what the browser says next.
func (b *browser) next() (p packet, err error) {
	b.from.SetReadDeadline(time.Now().Add(patience))
	s, err := b.in.ReadBytes(0)
	if err == nil {
		err = json.Unmarshal(s[:len(s)-1], &p)
	}
	return p, err
}

// call asks something of the browser, or of a page if there is a session, and
// returns the answer. Events are given to hear, if that is not nil.
func (b *browser) call(session, method string, params any, hear ...func(packet)) json.RawMessage {
	b.t.Helper()
	b.lastID++
	q := map[string]any{"id": b.lastID, "method": method}
	if params != nil {
		q["params"] = params
	}
	if session != "" {
		q["sessionId"] = session
	}
	text, err := json.Marshal(q)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	for err == nil {
		var p packet
		p, err = b.next()
		switch {
		case err != nil:
		case p.ID == b.lastID && p.Error != nil:
			err = fmt.Errorf("%s", p.Error.Message)
		case p.ID == b.lastID:
			return p.Result
		default:
			for _, h := range hear {
				h(p)
			}
		}
	}
	b.t.Fatalf("chromium: %s: %v", method, err)
	return nil
}

// A page is a tab of a browser.
type page struct {
	b       *browser
	session string
	log     []string // what the browser complained of
}

// open shows an address in a new tab, once it is loaded.
func (b *browser) open(url string) *page {
	b.t.Helper()
	created := decode[struct{ TargetID string }](b.t, string(b.call("", "Target.createTarget", map[string]any{"url": "about:blank"})))
	attached := decode[struct{ SessionID string }](b.t, string(b.call("", "Target.attachToTarget", map[string]any{"targetId": created.TargetID, "flatten": true})))
	p := &page{b: b, session: attached.SessionID}
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("the browser's log: %s", strings.Join(p.log, "\n"))
		}
	})
	p.call("Page.enable", nil)
	p.call("Log.enable", nil)
	p.call("Runtime.enable", nil)
	p.show(url)
	return p
}

// show goes to another address.
func (p *page) show(url string) {
	p.b.t.Helper()
	loaded := false
	hear := func(e packet) { loaded = loaded || e.Method == "Page.loadEventFired" }
	r := decode[struct{ ErrorText string }](p.b.t, string(p.call("Page.navigate", map[string]any{"url": url}, hear)))
	if r.ErrorText != "" {
		p.b.t.Fatalf("chromium: %s: %s", url, r.ErrorText)
	}
	for !loaded {
		e, err := p.b.next()
		if err != nil {
			p.b.t.Fatalf("chromium: loading %s: %v", url, err)
		}
		p.hear(e)
		hear(e)
	}
}

func (p *page) call(method string, params any, hear ...func(packet)) json.RawMessage {
	p.b.t.Helper()
	return p.b.call(p.session, method, params, append(hear, p.hear)...)
}

// hear keeps what is worth knowing when a test fails.
func (p *page) hear(e packet) {
	if e.SessionID == p.session && (e.Method == "Log.entryAdded" || e.Method == "Runtime.exceptionThrown" || e.Method == "Runtime.consoleAPICalled") {
		p.log = append(p.log, string(e.Params))
	}
}

// complains waits until the browser complains of something.
func (p *page) complains(text string) {
	p.b.t.Helper()
	for {
		if i := slices.IndexFunc(p.log, func(s string) bool { return strings.Contains(s, text) }); i >= 0 {
			p.log = p.log[i+1:]
			return
		}
		e, err := p.b.next()
		if err != nil {
			p.b.t.Fatalf("chromium: waiting for %q: %v", text, err)
		}
		p.hear(e)
	}
}

// eval runs JavaScript that returns a promise for a string, and waits for it.
func (p *page) eval(body string) string {
	p.b.t.Helper()
	r := decode[struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}](p.b.t, string(p.call("Runtime.evaluate", map[string]any{
		"expression": "(async () => {" + body + "})()", "awaitPromise": true, "returnByValue": true,
	})))
	if r.ExceptionDetails != nil {
		p.b.t.Fatalf("chromium: %s\n%s", body, r.ExceptionDetails)
	}
	if len(r.Result.Value) == 0 {
		return ""
	}
	return decode[string](p.b.t, string(r.Result.Value))
}
