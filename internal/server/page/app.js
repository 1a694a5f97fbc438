// The page on which to try longwire: one channel, read over WebSocket and over
// Server-Sent Events. The frames are those of docs/protocol.md.
"use strict";

const shown = 100;   // messages kept on the page, per reader
const samples = 500; // latencies of which the median is taken

const $ = (id) => document.getElementById(id);
const channelPath = () => "/channels/" + encodeURIComponent($("channel").value.trim());

// Latency is known once both are: when we published, and when it arrived. The
// answer to a publish tells its position, and the message carries the same.
const published = new Map(); // position → when it was sent
const arrived = new Map();   // position → [[reader, when, row], …], for answers still under way

function note(map, key, value) {
  map.set(key, value);
  if (map.size > 2000) map.delete(map.keys().next().value);
}

class Reader {
  constructor(id) {
    this.box = $(id);
    this.list = this.box.querySelector("ol");
    this.state = this.box.querySelector(".state");
    this.rows = [];
    this.reset();
  }
  reset() {
    this.count = 0;
    this.latencies = [];
    this.rows.length = 0;
    this.list.replaceChildren();
    this.last = undefined;
    this.position = "now"; // where it stands, to go on from there
    this.draw();
  }
  tell(state, text) {
    this.state.dataset.state = state;
    this.state.textContent = text;
  }
  // frame takes what arrived.
  frame(text) {
    const now = performance.now();
    let f;
    try { f = JSON.parse(text); } catch { return; }
    if (f.position !== undefined) this.position = f.position;
    const row = document.createElement("li");
    const what = document.createElement("span"), when = document.createElement("span");
    row.append(what, when);
    if (f.op === "gap") {
      row.className = "gap";
      what.textContent = `${f.lost ?? "some"} missed: they are not kept any more`;
    } else if (f.op === "message") {
      this.count++;
      what.textContent = f.data64 !== undefined ? `${f.data64} (base64)` : typeof f.data === "string" ? f.data : JSON.stringify(f.data);
      const sent = published.get(f.position);
      if (sent !== undefined) this.took(now - sent, when);
      else note(arrived, f.position, [...(arrived.get(f.position) ?? []), [this, now, when]]);
    } else {
      return; // newer servers may say more
    }
    this.rows.unshift(row);
    schedule(this);
  }
  took(ms, where) {
    this.last = ms;
    this.latencies.push(ms);
    if (this.latencies.length > samples) this.latencies.shift();
    where.textContent = millis(ms);
    schedule(this);
  }
  draw() {
    if (this.rows.length > 0) {
      this.list.prepend(...this.rows.splice(0).slice(0, shown));
      while (this.list.children.length > shown) this.list.lastChild.remove();
    }
    const set = (name, text) => { this.box.querySelector(`[data-is=${name}]`).textContent = text; };
    set("count", this.count.toLocaleString("en"));
    set("last", this.last === undefined ? "–" : millis(this.last));
    const sorted = [...this.latencies].sort((a, b) => a - b);
    set("median", sorted.length ? millis(sorted[sorted.length >> 1]) : "–");
  }
}

const millis = (ms) => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0)) + " ms";

// Many messages are drawn at once, before the next picture.
const due = new Set();
function schedule(reader) {
  if (due.size === 0) requestAnimationFrame(() => { for (const r of due) r.draw(); due.clear(); });
  due.add(reader);
}

const ws = new Reader("ws"), sse = new Reader("sse");
let socket, source, again;

function connect() {
  socket?.close();
  source?.close();
  clearTimeout(again?.ws);
  clearTimeout(again?.sse);
  again = {};
  connectSocket();
  connectSource();
}

function connectSocket() {
  ws.tell("wait", "connecting");
  let opened = false;
  const s = socket = new WebSocket(location.origin.replace(/^http/, "ws") + channelPath() + "?since=" + encodeURIComponent(ws.position));
  s.onopen = () => { opened = true; if (s === socket) ws.tell("open", "connected"); };
  s.onmessage = (e) => { if (s === socket) ws.frame(e.data); };
  s.onclose = (e) => {
    if (s !== socket) return;
    ws.tell("closed", e.reason || "disconnected");
    if (!opened) why();
    again.ws = setTimeout(connectSocket, 1000 + Math.random() * 2000);
  };
}

// why asks why the channel cannot be read: WebSocket and EventSource do not tell.
async function why() {
  const path = channelPath();
  try {
    const r = await fetch(path + "?wait=0s");
    if (!r.ok && path === channelPath()) outcome((await r.json()).detail, true);
  } catch { /* the server is not there; the readers say so */ }
}

function connectSource() {
  sse.tell("wait", "connecting");
  const s = source = new EventSource(channelPath());
  s.onopen = () => { if (s === source) sse.tell("open", "connected"); };
  s.onmessage = (e) => { if (s === source) sse.frame(e.data); };
  s.onerror = () => {
    if (s !== source) return;
    sse.tell("closed", "disconnected");
    if (s.readyState === EventSource.CLOSED) again.sse = setTimeout(connectSource, 1000 + Math.random() * 2000);
  };
}

function outcome(text, bad = false) {
  $("outcome").textContent = text;
  $("outcome").classList.toggle("bad", bad);
}

// matched hears that what was sent at a time has this position.
function matched(position, sent) {
  note(published, position, sent);
  for (const [reader, when, where] of arrived.get(position) ?? []) reader.took(when - sent, where);
  arrived.delete(position);
}

// kindOf sends JSON objects and arrays as such, all else as text.
function kindOf(text) {
  try {
    if (typeof JSON.parse(text) === "object") return "application/json";
  } catch { /* text */ }
  return "text/plain";
}

$("publish").onsubmit = async (e) => {
  e.preventDefault();
  const text = $("text").value, sent = performance.now();
  try {
    const r = await fetch(channelPath(), { method: "POST", body: text, headers: { "Content-Type": kindOf(text) } });
    const answer = await r.json();
    if (!r.ok) return outcome(answer.detail, true);
    matched(answer.position, sent);
    outcome(`Published at position ${answer.position} to ${answer.subscribers} subscribers in ${millis(performance.now() - sent)}.`);
  } catch (err) {
    outcome(`Not published: ${err.message}`, true);
  }
};

// A burst goes as frames over one connection: a hundred requests would measure
// the browser's queue for requests.
$("burst").onclick = () => {
  const n = 100, channel = $("channel").value.trim(), begun = performance.now();
  const s = new WebSocket(location.origin.replace(/^http/, "ws") + "/connect");
  const sent = [];
  let left = n;
  $("burst").disabled = true;
  const done = (text, bad) => { outcome(text, bad); $("burst").disabled = false; s.onclose = null; s.close(); };
  s.onopen = () => {
    for (let i = 0; i < n; i++) {
      sent[i] = performance.now();
      s.send(JSON.stringify({ op: "publish", id: i + 1, channel, type: "text", data: `burst ${i + 1} of ${n}` }));
    }
  };
  s.onmessage = (e) => {
    const f = JSON.parse(e.data);
    if (f.op === "error") return done(f.message, true);
    if (f.op !== "reply") return;
    matched(f.position, sent[f.id - 1]);
    if (--left === 0) done(`${n} published in ${millis(performance.now() - begun)}.`);
  };
  s.onclose = () => done("Not published: the connection was closed.", true);
};

function lines() {
  const address = location.origin + channelPath();
  $("line-publish").textContent = `curl -d '{"hello":"world"}' ${address}`;
  $("line-read").textContent = `curl -N ${address}`;
}

$("channel").onchange = () => {
  outcome("");
  location.hash = $("channel").value.trim();
  ws.reset();
  sse.reset();
  lines();
  connect();
};

for (const button of document.querySelectorAll("[data-copy]")) {
  button.onclick = async () => {
    const code = $(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch { // no permission, or not a secure origin: it is selected, to be copied by hand
      getSelection().selectAllChildren(code);
      return;
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
}

try {
  if (location.hash.length > 1) $("channel").value = decodeURIComponent(location.hash.slice(1));
} catch { /* not ours: the channel stays as it was */ }
lines();
connect();
