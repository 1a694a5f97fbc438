package interop

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestChromium tries the pages, and what other pages must not do, in one
// browser.
func TestChromium(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	b.part(t, "page", func(t *testing.T) { testPage(t, b, false) })
	b.part(t, "page over TLS", func(t *testing.T) { testPage(t, b, true) })
	b.part(t, "restart", func(t *testing.T) { testPageRestart(t, b) })
	b.part(t, "EventSource", func(t *testing.T) { testBrowserEventSource(t, b, false) })
	b.part(t, "EventSource over HTTP 2", func(t *testing.T) { testBrowserEventSource(t, b, true) })
	b.part(t, "WebSocket", func(t *testing.T) { testBrowserWebSocket(t, b) })
	b.part(t, "sessions", func(t *testing.T) { testBrowserSessions(t, b) })
	b.part(t, "foreign page", func(t *testing.T) { testForeignPage(t, b) })
	b.part(t, "rebinding", func(t *testing.T) { testRebinding(t, b) })
}

// part runs a test that uses the browser and fails by itself.
func (b *browser) part(t *testing.T, name string, run func(*testing.T)) {
	all := b.t
	defer func() { b.t = all }()
	t.Run(name, func(t *testing.T) {
		b.t = t
		run(t)
	})
}

// until is JavaScript that waits until an expression is true of the document.
const until = `
const until = (test) => new Promise((yes) => {
	const look = () => { if (test()) { seen.disconnect(); yes(); } };
	const seen = new MutationObserver(look);
	seen.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
	look();
});
const states = (...names) => until(() => ["ws", "sse"].every((id) => names.includes(document.querySelector("#" + id + " .state").dataset.state)));
const shows = (text) => until(() => ["ws", "sse"].every((id) => document.querySelector("#" + id + " ol").innerText.includes(text)));
`

// testPage sees a message arrive in both ways, from elsewhere and from its own form.
func testPage(t *testing.T, b *browser, secure bool) {
	r := openRoom(t, secure)
	p := b.open(r.HTTPURL() + "/#some.channel")
	p.eval(until + `await states("open"); return ""`)
	if n := r.publish("some.channel", "from elsewhere").Subscribers; n != 2 {
		t.Errorf("%d subscribers, want the page's 2", n)
	}
	p.eval(until + `await shows("from elsewhere"); return ""`)
	if got := p.eval(until + `
		document.getElementById("text").value = "from the form";
		document.querySelector("#publish button[type=submit]").click();
		await shows("from the form");
		const outcome = document.getElementById("outcome");
		await until(() => outcome.innerText !== "");
		return outcome.innerText`); !strings.HasPrefix(got, "Published at position") {
		t.Errorf("the page says %q", got)
	}
	if got := p.eval(until + `
		document.getElementById("burst").click();
		await shows("burst 100 of 100");
		await until(() => !document.getElementById("burst").disabled);
		return document.getElementById("outcome").innerText`); !strings.HasPrefix(got, "100 published in") {
		t.Errorf("the page says %q", got)
	}
	if len(p.log) > 0 {
		t.Errorf("the browser complains: %s", p.log)
	}
	p.show("about:blank")
	r.publishTo(0, "some.channel", "it has left")
}

// testPageRestart stops the server under the page and starts it again at the
// same address: the page finds it by itself, in both ways.
func testPageRestart(t *testing.T, b *browser) {
	r := openRoom(t, false)
	p := b.open(r.HTTPURL() + "/")
	p.eval(until + `await states("open"); return ""`)
	r.stop()
	p.eval(until + `await states("closed", "wait"); return ""`)
	again := openRoomAt(t, false, host(r.HTTPURL()))
	p.eval(until + `await states("open"); return ""`)
	again.publish("news", "after the restart")
	p.eval(until + `await shows("after the restart"); return ""`)
	p.show("about:blank")
}

// testBrowserEventSource reads events, and comes back with the last one's id.
func testBrowserEventSource(t *testing.T, b *browser, secure bool) {
	d := openDoor(t, secure)
	p := b.open(d.url + "/page")
	got := p.eval(`
		const es = new EventSource("/again"), got = [];
		await new Promise((yes) => { es.onmessage = (e) => { if (got.push(e.lastEventId + " " + e.data) === 4) yes(); }; });
		es.close();
		return got.join(", ")`)
	if want := "1 event 1, 2 event 2, 3 event 3, 4 event 4"; got != want {
		t.Errorf("it came back to %q, want %q", got, want)
	}
	got = p.eval(`
		const es = new EventSource("/events?tag=browser"), got = [];
		await new Promise((yes) => { es.onopen = yes; });
		const events = [
			{ id: "7", data: "plain" }, { data: "a\nb\rc\r\nd" }, { event: "update", data: " Grüße 🎈" }, { id: "8", data: "" }, { data: "id: 9\n\n" },
		];
		for (const event of events) {
			const next = new Promise((yes) => es.addEventListener(event.event ?? "message", yes, { once: true }));
			await fetch("/say?tag=browser", { method: "POST", body: JSON.stringify(event) });
			const e = await next;
			got.push([e.type, e.lastEventId, e.data]);
		}
		es.close();
		const end = await (await fetch("/end?tag=browser")).json();
		got.push(["normal", "lost"].includes(end.code)); // how a browser leaves is its own affair
		return JSON.stringify([performance.getEntriesByName(location.origin + "/end?tag=browser")[0].nextHopProtocol, ...got])`)
	protocol := "http/1.1"
	if secure {
		protocol = "h2"
	}
	want := fmt.Sprintf(`[%q,["message","7","plain"],["message","7","a\nb\nc\nd"],["update","7"," Grüße 🎈"],["message","8",""],["message","8","id: 9\n\n"],true]`, protocol)
	if got != want {
		t.Errorf("events:\n%s, want\n%s", got, want)
	}
	p.show("about:blank")
}

// testBrowserWebSocket has a conversation, with close codes in both directions.
func testBrowserWebSocket(t *testing.T, b *browser) {
	d := openDoor(t, false)
	p := b.open(d.url + "/page")
	got := p.eval(`
		const dial = async (path, ...more) => {
			const ws = new WebSocket(path, ...more);
			ws.binaryType = "arraybuffer";
			await new Promise((yes, no) => { ws.onopen = yes; ws.onerror = no; });
			return ws;
		};
		const heard = (ws, name) => new Promise((yes) => ws.addEventListener(name, yes, { once: true }));
		const got = [];
		for (const path of ["/echo?tag=socket", "/loop"]) {
			const ws = await dial(path);
			for (const text of ["Grüße 🎈", "", "x".repeat(1 << 20)]) {
				ws.send(text);
				got.push((await heard(ws, "message")).data === text);
			}
			ws.send(new Uint8Array(70000).fill(7));
			const data = new Uint8Array((await heard(ws, "message")).data);
			got.push(data.length === 70000 && data.every((b) => b === 7));
			ws.close(4321, "enough");
			const e = await heard(ws, "close");
			got.push(e.wasClean, e.code);
		}
		const end = await (await fetch("/end?tag=socket")).json();
		got.push(end.number, end.reason);
		const chat = await dial("/chat", ["other", "chat"]);
		got.push(chat.protocol);
		chat.close();
		const bye = new WebSocket("/bye?code=4001&reason=enough&text=last");
		got.push((await heard(bye, "message")).data);
		const e = await heard(bye, "close");
		got.push(e.wasClean, e.code, e.reason);
		return JSON.stringify(got)`)
	one := `true,true,true,true,true,4321`
	if want := `[` + one + `,` + one + `,4321,"enough","chat","last",true,4001,"enough"]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p.show("about:blank")
}

// testForeignPage sees that a page of another host gets nowhere.
func testForeignPage(t *testing.T, b *browser) {
	d, r := openDoor(t, false), openRoom(t, false)
	reader := start(t, "curl", curlArgs(r.HTTPURL()+"/channels/news")...)
	r.publishTo(1, "news", "the reader is there")
	p := b.open("http://foreign.test:" + port(t, d.url) + "/page")
	for _, path := range []string{"/connect", "/channels/news"} {
		got := p.eval(fmt.Sprintf(`
			const ws = new WebSocket(%q);
			return await new Promise((yes) => { ws.onopen = () => yes("open"); ws.onclose = (e) => yes("closed with " + e.code); })`,
			wsURL(r.HTTPURL())+path))
		if got != "closed with 1006" {
			t.Errorf("WebSocket to %s: %s", path, got)
		}
		p.complains("Unexpected response code: 403")
	}
	for _, tt := range []struct{ name, code, want string }{
		{"EventSource", `
			const es = new EventSource(%q);
			return await new Promise((yes) => { es.onopen = () => yes("open"); es.onerror = () => yes("refused " + es.readyState); })`, "refused 2"},
		{"publishing", `
			try { const r = await fetch(%q, { method: "POST", body: "from a foreign page" }); return "answered " + r.status; } catch (e) { return e.name; }`, "TypeError"},
		{"publishing blindly", `
			const r = await fetch(%q, { method: "POST", body: "from a foreign page", mode: "no-cors" }); return r.type;`, "opaque"},
	} {
		if got := p.eval(fmt.Sprintf(tt.code, r.HTTPURL()+"/channels/news")); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	ours := r.publish("news", "ours")
	for m := (message{}); m.Position != ours.Position; {
		if m = decode[message](t, reader.line()); strings.Contains(string(m.Data), "foreign") {
			t.Error("a foreign page could publish")
		}
	}
	p.show("about:blank")
}

// testRebinding asks the server under a name that somebody else has for this
// machine: its pages would be the server's own.
func testRebinding(t *testing.T, b *browser) {
	r := openRoom(t, false)
	p := b.open("http://rebound.test:" + port(t, r.HTTPURL()) + "/")
	if got := p.eval(`return document.body.innerText`); !strings.Contains(got, `"code":"bad_host"`) {
		t.Errorf("the server answered %s", got)
	}
	p.show("about:blank")
}

func port(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}
