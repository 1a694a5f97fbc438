"""Python's websockets against a door: pywebsockets.py http://… [CA]"""

import asyncio
import json
import os
import ssl
import sys
import urllib.parse
import urllib.request
import uuid

try:
    import websockets
    from websockets.client import ClientConnection
    from websockets.frames import Opcode
    from websockets.uri import parse_uri
except ImportError as e:
    sys.exit(f"python3-websockets is not installed; run make deps ({e})")

from tap import finish, test

base = sys.argv[1]
ws_base = "ws" + base[len("http"):]
tls = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None


def dial(path, **options):
    return websockets.connect(ws_base + path, ssl=tls, **options)


async def end(tag):
    """How the server says that the connection with a tag ended."""
    def ask():
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        with direct.open(f"{base}/end?tag={tag}", timeout=20) as answer:
            return json.load(answer)
    return await asyncio.get_running_loop().run_in_executor(None, ask)


for path in ("/echo", "/loop"):
    @test(f"echo {path}")
    async def _(path=path):
        async with dial(path, max_size=None) as ws:
            for data in ("", "hello", "Grüße, 世界 🎈", "x" * 65536, b"", b"\x00\xff", os.urandom(1 << 20)):
                await ws.send(data)
                got = await ws.recv()
                assert type(got) is type(data) and got == data, (len(data), type(got), len(got))

    @test(f"fragments {path}")
    async def _(path=path):
        async with dial(path) as ws:
            await ws.send(["Gr", "üß", "", "e"])
            assert await ws.recv() == "Grüße"
            await ws.send([b"\x00", b"\xc3", b"\xbc"])
            assert await ws.recv() == b"\x00\xc3\xbc"

    @test(f"many messages at once {path}")
    async def _(path=path):
        async with dial(path) as ws:
            async def say():
                for i in range(1000):
                    await ws.send(f"message {i}")
            saying = asyncio.ensure_future(say())
            for i in range(1000):
                assert await ws.recv() == f"message {i}"
            await saying


@test("ping and latency")
async def _():
    async with dial("/echo") as ws:
        for data in (None, b"", b"payload", b"x" * 125):
            latency = await (await ws.ping(data))
            assert 0 < latency < 20, latency
        assert ws.latency == latency


@test("the client closes")
async def _():
    for code, reason in ((1000, ""), (1001, "leaving"), (3000, "Grüße"), (4999, "x" * 123)):
        tag = uuid.uuid4()
        ws = await dial(f"/echo?tag={tag}")
        await ws.close(code, reason)
        assert ws.close_code == code, ws.close_code
        got = await end(tag)
        assert (got["number"], got["reason"], got["remote"]) == (code, reason, True), got


@test("the server closes")
async def _():
    for code, reason in ((1000, "done"), (1001, "restart"), (4001, "Grüße"), (4999, "x" * 123)):
        ws = await dial(f"/bye?code={code}&reason={urllib.parse.quote(reason)}&text=last")
        assert await ws.recv() == "last"
        try:
            await ws.recv()
            raise AssertionError("a message too many")
        except websockets.ConnectionClosed as e:
            assert (e.rcvd.code, e.rcvd.reason) == (code, reason), e.rcvd
            assert e.sent.code == code and e.rcvd_then_sent, e


@test("subprotocols")
async def _():
    async with dial("/chat", subprotocols=["other", "chat"]) as ws:
        assert ws.subprotocol == "chat", ws.subprotocol
    try:
        async with dial("/chat", subprotocols=["other"]):
            raise AssertionError("it was taken")
    except websockets.InvalidStatusCode as e:
        assert e.status_code == 400, e


@test("an origin elsewhere")
async def _():
    try:
        async with dial("/echo", origin="https://foreign.example"):
            raise AssertionError("it was taken")
    except websockets.InvalidStatusCode as e:
        assert e.status_code == 403, e


@test("every frame of the server")
async def _():
    """The protocol without I/O: each frame is seen as it came, and what breaks a rule raises."""
    url = urllib.parse.urlsplit(ws_base)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=tls)
    conn = ClientConnection(parse_uri(ws_base + "/echo"))
    conn.send_request(conn.connect())
    frames, closed = [], False

    def flush():
        nonlocal closed
        for data in conn.data_to_send():
            if data:
                writer.write(data)
            elif tls is None:
                writer.write_eof()
            else:
                closed = True

    async def receive(until):
        while len(frames) < until:
            data = await reader.read(65536)
            conn.receive_data(data) if data else conn.receive_eof()
            frames.extend(conn.events_received())
            flush()
            if not data:
                break

    flush()
    await receive(1)  # the response
    assert conn.handshake_exc is None and frames.pop().status_code == 101
    conn.send_text(b"fra", fin=False)
    conn.send_ping(b"one")
    conn.send_continuation(b"gment", fin=True)
    conn.send_binary(b"\xff" * 70000)
    flush()
    await receive(3)
    conn.send_close(4444, "bye")
    flush()
    await receive(99)  # to the end
    writer.close()
    assert conn.parser_exc is None, conn.parser_exc
    assert all(f.fin and not (f.rsv1 or f.rsv2 or f.rsv3) for f in frames), frames
    assert [(f.opcode, len(f.data)) for f in frames] == [
        (Opcode.PONG, 3), (Opcode.TEXT, 8), (Opcode.BINARY, 70000), (Opcode.CLOSE, 5)], frames
    assert (conn.close_rcvd.code, conn.close_rcvd.reason) == (4444, "bye"), conn.close_rcvd


for name, code, frame in (
    ("a reserved opcode", 1002, b"\x83\x80\x00\x00\x00\x00"),
    ("a reserved bit", 1002, b"\xc1\x80\x00\x00\x00\x00"),
    ("a length that is not the shortest", 1002, b"\x82\xfe\x00\x01\x00\x00\x00\x00x"),
    ("text that is not UTF-8, before it is whole", 1007, b"\x01\x81\x00\x00\x00\x00\xff"),
    ("a length of 2^63", 1002, b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
):
    @test(name)
    async def _(code=code, frame=frame):
        async with dial("/echo") as ws:
            ws.transport.write(frame)
            try:
                await ws.recv()
                raise AssertionError("it was taken")
            except websockets.ConnectionClosed as e:
                assert e.rcvd and e.rcvd.code == code, e


asyncio.run(finish())
