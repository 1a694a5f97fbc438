// Followers of the channels news and more, in a session: of their address, with the
// WebSocket or EventSource given, here npm's or there a browser's. They print
//
//	connected SESSION   with each link
//	ready               once both are subscribed to
//	message CHANNEL TEXT
//
// and come back by themselves when they are cut.

export function followByWebSocket(WebSocket, base, print) {
  let session, position, first = true;
  const since = (...channels) => channels.map((channel) => ({ channel, since: position }));
  const dial = () => {
    const ws = new WebSocket(base.replace(/^http/, "ws") + "/connect");
    const send = (frame) => ws.send(JSON.stringify(frame));
    ws.onopen = () => send(first ? { op: "connect", id: 1, subscribe: since("news") } : { op: "connect", id: 1, ...session, subscribe: since("news", "more") });
    ws.onerror = () => {}; // close follows
    ws.onclose = () => setTimeout(dial, 20);
    ws.onmessage = (e) => {
      const f = JSON.parse(e.data);
      switch (f.op) {
        case "connected":
          session = { session: f.session, secret: f.secret };
          position ??= f.position;
          print(`connected ${f.session}`);
          if (first) send({ op: "subscribe", id: 2, channel: "more" });
          break;
        case "reply":
          first = false;
          print("ready");
          break;
        case "message":
          position = f.position;
          print(`message ${f.channel} ${f.data}`);
          break;
        case "ping":
          break;
        default:
          print(e.data);
      }
    };
  };
  dial();
}

export function followByEventSource(EventSource, base, print) {
  let first = true;
  const es = new EventSource(base + "/connect?channel=news");
  es.onmessage = (e) => {
    const f = JSON.parse(e.data);
    switch (f.op) {
      case "connected":
        print(`connected ${f.session}`);
        if (first) {
          fetch(`${base}/connect/${f.session}`, {
            method: "POST", headers: { "Longwire-Secret": f.secret }, body: JSON.stringify({ op: "subscribe", id: 2, channel: "more" }),
          });
        }
        first = false;
        break;
      case "reply":
        print("ready");
        break;
      case "message":
        print(`message ${f.channel} ${f.data}`);
        break;
      default:
        print(e.data);
    }
  };
}
