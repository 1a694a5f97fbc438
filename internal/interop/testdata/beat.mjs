// npm's ws at a proxy that cuts what is silent: node beat.mjs http://…
import WebSocket from "ws";

const ws = new WebSocket(process.argv[2].replace(/^http/, "ws") + "/beat");
let beats = 0;
ws.on("ping", () => { if (++beats === 10) ws.send("still there"); });
ws.on("message", (data) => { console.log(data.toString()); ws.close(); });
ws.on("close", (code) => { if (code !== 1005) console.log(`closed with ${code} after ${beats} heartbeats`); });
