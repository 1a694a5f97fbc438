// npm's ws against a door: node ws.mjs http://… [CA]
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import WebSocket from "ws";
import { finish, once, test } from "./tap.mjs";

const [base, caFile] = process.argv.slice(2);
const options = { ca: caFile && readFileSync(caFile) };

function dial(path, protocols = [], more = {}) {
  return new WebSocket(base.replace(/^http/, "ws") + path, protocols, { ...options, ...more });
}

async function open(...args) {
  const ws = dial(...args);
  await once(ws, "open");
  return ws;
}

// end asks the server how the connection with a tag ended.
function end(tag) {
  return new Promise((yes, no) => {
    (base.startsWith("https") ? https : http).get(`${base}/end?tag=${tag}`, options, (res) => {
      let text = "";
      res.on("data", (p) => { text += p; });
      res.on("end", () => (res.statusCode === 200 ? yes(JSON.parse(text)) : no(new Error(`${res.statusCode} ${text}`))));
    }).on("error", no);
  });
}

// refused is the answer to a handshake that fails.
async function refused(...args) {
  const ws = dial(...args);
  const [, res] = await once(ws, "unexpected-response");
  res.resume();
  return res;
}

for (const path of ["/echo", "/loop"]) {
  test(`text ${path}`, async () => {
    const ws = await open(path);
    assert.equal(ws.extensions, "", "compression is off");
    for (const text of ["hello", "", "Grüße, 世界 🎈\u0000\n", "x".repeat(125), "x".repeat(126), "x".repeat(65535), "x".repeat(65536)]) {
      ws.send(text);
      const [data, binary] = await once(ws, "message");
      assert.equal(binary, false);
      assert.equal(data.toString(), text);
    }
    ws.close();
    await once(ws, "close");
  });

  test(`binary ${path}`, async () => {
    const ws = await open(path);
    for (const size of [0, 1, 125, 126, 4096, 65536, 1 << 20]) {
      const sent = randomBytes(size);
      ws.send(sent);
      const [data, binary] = await once(ws, "message");
      assert.equal(binary, true);
      assert.ok(sent.equals(data), `${size} bytes`);
    }
    ws.close();
    await once(ws, "close");
  });

  test(`fragments, with a ping between ${path}`, async () => {
    const ws = await open(path);
    const pong = once(ws, "pong"), message = once(ws, "message");
    const parts = ["Gr", Buffer.from([0xc3]), Buffer.from([0xbc]), "", "ße"]; // cut inside a character
    parts.forEach((part, i) => {
      ws.send(part, { fin: i === parts.length - 1, binary: false });
      if (i === 1) ws.ping("between");
    });
    assert.equal((await pong)[0].toString(), "between");
    const [data, binary] = await message;
    assert.equal(binary, false);
    assert.equal(data.toString(), "Grüße");
    ws.close();
    await once(ws, "close");
  });

  test(`a large message in many fragments ${path}`, async () => {
    const ws = await open(path);
    const sent = randomBytes(1 << 20);
    for (let i = 0; i < sent.length; i += 10000) ws.send(sent.subarray(i, i + 10000), { fin: i + 10000 >= sent.length });
    const [data] = await once(ws, "message");
    assert.ok(sent.equals(data));
    ws.close();
    await once(ws, "close");
  });

  test(`many messages at once ${path}`, async () => {
    const ws = await open(path);
    const n = 5000;
    let got = 0;
    const all = new Promise((yes, no) => {
      ws.on("message", (data) => {
        if (!data.toString().startsWith(`${got} `)) no(new Error(`message ${got} is ${data.subarray(0, 20)}`));
        if (++got === n) yes();
      });
      ws.on("close", (code) => no(new Error(`closed with ${code} after ${got}`)));
    });
    for (let i = 0; i < n; i++) ws.send(`${i} ` + "x".repeat(i % 300));
    await all;
    ws.terminate();
  });
}

test("ping", async () => {
  const ws = await open("/echo");
  for (const data of ["", "payload", "x".repeat(125)]) {
    ws.ping(data);
    assert.equal((await once(ws, "pong"))[0].toString(), data);
  }
  ws.close();
  await once(ws, "close");
});

test("the client closes", async () => {
  for (const [code, reason] of [[1000, ""], [1000, "done"], [1001, "leaving"], [3000, "x"], [4999, "ü".repeat(61)]]) {
    const tag = randomUUID();
    const ws = await open(`/echo?tag=${tag}`);
    ws.close(code, reason);
    const [gotCode, gotReason] = await once(ws, "close");
    assert.deepEqual([gotCode, gotReason.toString()], [code, reason], "the answer says the same");
    const { number, reason: heard, remote } = await end(tag);
    assert.deepEqual({ number, heard, remote }, { number: code, heard: reason, remote: true });
  }
});

test("the client closes without a code", async () => {
  const tag = randomUUID();
  const ws = await open(`/echo?tag=${tag}`);
  ws.close();
  assert.equal((await once(ws, "close"))[0], 1005);
  const { code, remote } = await end(tag);
  assert.deepEqual({ code, remote }, { code: "normal", remote: true });
});

test("the client is cut off", async () => {
  const tag = randomUUID();
  const ws = await open(`/echo?tag=${tag}`);
  ws.terminate();
  const { code } = await end(tag);
  assert.equal(code, "lost");
});

test("the server closes", async () => {
  for (const [code, reason] of [[1000, "done"], [1001, "restart"], [3999, ""], [4001, "Grüße"], [4999, "x".repeat(123)]]) {
    const ws = dial(`/bye?code=${code}&reason=${encodeURIComponent(reason)}&text=first&text=last`);
    const texts = [];
    ws.on("message", (data) => texts.push(data.toString()));
    const [gotCode, gotReason] = await once(ws, "close");
    assert.equal(gotCode, code);
    if (reason !== "") assert.equal(gotReason.toString(), reason);
    assert.deepEqual(texts, ["first", "last"]);
  }
});

for (const { name, code, send } of [
  { name: "a message over the limit", code: 1009, send: (ws) => ws.send(Buffer.alloc((1 << 20) + 1)) },
  { name: "too much in fragments", code: 1009, send: (ws) => {
    for (let i = 0; i < 3; i++) ws.send(Buffer.alloc(1 << 19), { fin: false });
  } },
  { name: "text that is not UTF-8", code: 1007, send: (ws) => ws.send(Buffer.from([0xff]), { binary: false }) },
  { name: "a frame without a mask", code: 1002, send: (ws) => ws.send("x", { mask: false }) },
]) {
  test(name, async () => {
    const ws = await open("/echo");
    ws.on("error", () => {}); // what could not be sent any more
    send(ws);
    assert.equal((await once(ws, "close"))[0], code);
  });
}

test("subprotocols", async () => {
  const ws = await open("/chat", ["other", "chat"]);
  assert.equal(ws.protocol, "chat");
  ws.close();
  await once(ws, "close");
  assert.equal((await refused("/chat", ["other"])).statusCode, 400);
});

test("an origin elsewhere", async () => {
  const res = await refused("/echo", [], { origin: "https://foreign.example" });
  assert.equal(res.statusCode, 403);
  assert.match(res.headers["content-type"], /^application\/problem\+json/);
});

test("heartbeats", async () => {
  const ws = await open("/beat");
  for (let i = 0; i < 6; i++) await once(ws, "ping");
  ws.send("still there");
  assert.equal((await once(ws, "message"))[0].toString(), "still there");
  ws.close();
  await once(ws, "close");
});

test("a peer that answers no pings", async () => {
  const tag = randomUUID();
  const ws = await open(`/deaf?tag=${tag}`, [], { autoPong: false });
  assert.equal((await once(ws, "close"))[0], 4011);
  assert.equal((await end(tag)).code, "idle_timeout");
});

await finish();
