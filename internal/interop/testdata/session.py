"""A follower with Python's websockets, as those of follow.mjs: session.py http://…"""

import asyncio
import json
import sys

try:
    import websockets
except ImportError as e:
    sys.exit(f"python3-websockets is not installed; run make deps ({e})")

address = "ws" + sys.argv[1][len("http"):] + "/connect"


async def follow():
    session, position, ready = {}, None, False
    while True:
        try:
            async with websockets.connect(address) as ws:
                names = ("news", "more") if ready else ("news",)
                subscribe = [{"channel": name, **({"since": position} if position else {})} for name in names]
                await ws.send(json.dumps({"op": "connect", "id": 1, **session, "subscribe": subscribe}))
                async for text in ws:
                    f = json.loads(text)
                    op = f["op"]
                    if op == "connected":
                        session = {"session": f["session"], "secret": f["secret"]}
                        position = position or f["position"]
                        print("connected", f["session"], flush=True)
                        if not ready:
                            await ws.send(json.dumps({"op": "subscribe", "id": 2, "channel": "more"}))
                    elif op == "reply":
                        ready = True
                        print("ready", flush=True)
                    elif op == "message":
                        position = f["position"]
                        print("message", f["channel"], f["data"], flush=True)
                    elif op != "ping":
                        print(text, flush=True)
        except (OSError, websockets.ConnectionClosed, websockets.InvalidMessage):
            pass
        await asyncio.sleep(0.02)


asyncio.run(follow())
