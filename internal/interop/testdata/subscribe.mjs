// A subscriber with npm's ws that prints what it hears: node subscribe.mjs http://…/connect CHANNEL
import WebSocket from "ws";

const ws = new WebSocket(process.argv[2].replace(/^http/, "ws"));
ws.on("open", () => ws.send(JSON.stringify({ op: "subscribe", id: 1, channel: process.argv[3] })));
ws.on("message", (data) => console.log(data.toString()));
ws.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
