// A follower with an npm package: node session.mjs ws|eventsource http://…
import { EventSource } from "eventsource";
import WebSocket from "ws";
import { followByEventSource, followByWebSocket } from "./follow.mjs";

const [way, base] = process.argv.slice(2);
const print = (line) => console.log(line);
if (way === "ws") followByWebSocket(WebSocket, base, print);
else followByEventSource(EventSource, base, print);
