// npm's eventsource against a door: node eventsource.mjs http://…
// For https, NODE_EXTRA_CA_CERTS names the certificate.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { EventSource } from "eventsource";
import { finish, test } from "./tap.mjs";

const base = process.argv[2];

function heard(es, name) {
  return new Promise((yes) => es.addEventListener(name, yes, { once: true }));
}

// open opens a stream with a tag, and returns it with a way to make the server
// send in it.
async function open(path) {
  const tag = randomUUID();
  const es = new EventSource(`${base}${path}?tag=${tag}`);
  await heard(es, "open");
  return {
    es, tag,
    say: async (body) => {
      const res = await fetch(`${base}/say?tag=${tag}`, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
      assert.equal(res.status, 200, await res.text());
    },
  };
}

test("named events, ids and lines", async () => {
  const { es, say } = await open("/events");
  for (const { event, id, data, want = data } of [
    { data: "plain" },
    { data: "" },
    { event: "update", id: "7-a", data: "named" },
    { event: "update", data: "the id stays" },
    { id: "8", data: "first\nsecond\n\nfourth\n" },
    { data: "a\rb\r\nc", want: "a\nb\nc" },
    { data: " a space before, a colon: behind " },
    { data: "data: not a field\nid: 9\n\nevent: trick" },
    { data: "Grüße, 世界 🎈" },
    { data: "x".repeat(300000) },
  ]) {
    const name = event ?? "message", last = id ?? "";
    const got = heard(es, name);
    await say({ event, id, data });
    const e = await got;
    assert.equal(e.type, name);
    assert.equal(e.data, want);
    if (id) assert.equal(e.lastEventId, last);
  }
  es.close();
});

test("it comes back by itself", async () => {
  const es = new EventSource(`${base}/again`);
  const got = [], closes = [];
  es.addEventListener("close", (e) => closes.push(JSON.parse(e.data).code));
  const begun = performance.now();
  await new Promise((yes) => es.addEventListener("message", (e) => {
    got.push(`${e.lastEventId} ${e.data}`);
    if (got.length === 4) yes();
  }));
  // Three waits of 50 to 150 ms as the server said, not of three seconds as clients choose.
  assert.ok(performance.now() - begun < 3000, "retry: was not heeded");
  es.close();
  assert.deepEqual(got, ["1 event 1", "2 event 2", "3 event 3", "4 event 4"]);
  assert.deepEqual(closes.slice(0, 3), ["normal", "normal", "normal"]);
});

test("it leaves", async () => {
  // HAProxy tells the server of it when the next heartbeat finds nobody, not before.
  const { es, tag } = await open("/beat");
  es.close();
  const end = await (await fetch(`${base}/end?tag=${tag}`)).json();
  assert.match(end.code, /^(normal|lost)$/); // whether it said goodbye to TCP and TLS is its own affair
});

test("heartbeats are no events", async () => {
  const { es, say } = await open("/beat");
  const got = heard(es, "message");
  await say("still there");
  assert.equal((await got).data, "still there");
  es.close();
});

await finish();
