// npm's ws at a proxy that cuts what is silent: node beat.mjs http://…
import assert from "node:assert/strict";
import WebSocket from "ws";
import { finish, once, test } from "./tap.mjs";

test("heartbeats", async () => {
  const ws = new WebSocket(process.argv[2].replace(/^http/, "ws") + "/beat");
  for (let i = 0; i < 8; i++) await once(ws, "ping");
  ws.send("still there");
  assert.equal((await once(ws, "message"))[0].toString(), "still there");
  ws.close();
  assert.equal((await once(ws, "close"))[0], 1005);
});

await finish();
