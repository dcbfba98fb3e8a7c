"""Foreign peers of the network benchmark: 60 messages a second of 120 bytes from 10.77.0.1 to 10.77.0.2.

    python3 peers.py rx|tx TRANSPORT SECONDS DIR

`rx` belongs in the namespace of 10.77.0.2, `tx` in that of 10.77.0.1; Chromium's peers need root. DIR, fresh for each
run, carries what they agree, so that signalling never takes the measured path. `rx` writes a line a message, `NUMBER
LATENCY_MICROSECONDS`; `tx` says "open" on stderr once its channel is, and at the end how far it fell behind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn, cast

RECEIVER, PORT = "10.77.0.2", 7400
RATE, SIZE = 60, 120
HEAD = struct.Struct("<Id")  # number, microseconds since 1970 when it was made
OPEN_LIMIT = 40  # seconds after which a channel that is not open has failed
LINGER = 5  # seconds that rx waits for stragglers; tx stays one longer, to repeat what was lost
NO_LIMIT = 1 << 24  # bytes, more than a run sends: a sender made to wait would stamp its messages late

Send = Callable[[bytes], Awaitable[None]]

got: dict[int, int] = {}  # number: latency in microseconds


def arrived(data: bytes) -> None:
    number, made = HEAD.unpack_from(data)
    got.setdefault(number, round(time.time_ns() / 1e3 - made))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def opened(role: str, seconds: float) -> None:
    signal.alarm(math.ceil(seconds) + LINGER + 10)  # from here the limit is that of the run
    if role == "tx":
        say("open")


def put(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)  # whole or not at all


def take(path: Path) -> str:
    """Wait for a file and remove it; this blocks, and only while nothing else runs yet."""
    while not path.exists():
        time.sleep(0.02)
    text = path.read_text()
    path.unlink()
    return text


async def pace(send: Send, seconds: float) -> float:
    """Send each message when it is due, by the schedule; how many ms late was the latest?"""
    start, latest = time.monotonic(), 0.0
    for number in range(round(seconds * RATE)):
        due = start + number / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        latest = max(latest, time.monotonic() - due)
        await send(HEAD.pack(number, time.time_ns() / 1e3).ljust(SIZE, b"x"))
    return latest * 1e3


async def tcp(role: str, folder: Path, up: asyncio.Event, finally_: AsyncExitStack) -> Send | None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        up.set()
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                arrived(await reader.readexactly(SIZE))

    async def send(message: bytes) -> None:
        writer.write(message)

    if role == "rx":
        finally_.callback((await asyncio.start_server(serve, RECEIVER, PORT)).close)
        put(folder / "ready", "")
        return None
    take(folder / "ready")
    _, writer = await asyncio.open_connection(RECEIVER, PORT)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    up.set()
    return send


async def websocket(role: str, folder: Path, up: asyncio.Event, finally_: AsyncExitStack) -> Send | None:
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    async def receive(connection: ServerConnection) -> None:
        up.set()
        with suppress(ConnectionClosed):
            while True:
                arrived(await connection.recv(decode=False))

    plain: dict[str, Any] = {"compression": None, "ping_interval": None, "max_queue": None, "write_limit": NO_LIMIT}
    if role == "rx":
        finally_.callback((await serve(receive, RECEIVER, PORT, **plain)).close)
        put(folder / "ready", "")
        return None
    take(folder / "ready")
    connection = await connect(f"ws://{RECEIVER}:{PORT}", proxy=None, **plain)  # the environment may name a proxy
    connection.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    up.set()
    return connection.send


async def aiortc(role: str, folder: Path, up: asyncio.Event, finally_: AsyncExitStack, ordered: bool) -> Send | None:
    from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # left out, it would ask a public STUN server
    finally_.push_async_callback(peer.close)

    def receive(channel: RTCDataChannel) -> None:
        channel.on("message", arrived)
        up.set()

    async def send(message: bytes) -> None:
        channel.send(message)

    async def local(name: str, description: RTCSessionDescription) -> None:
        await peer.setLocalDescription(description)  # and gather all candidates
        put(folder / name, json.dumps({"sdp": peer.localDescription.sdp, "type": name}))

    async def remote(name: str) -> None:
        await peer.setRemoteDescription(RTCSessionDescription(**json.loads(take(folder / name))))

    if role == "rx":
        peer.on("datachannel", receive)
        await remote("offer")
        await local("answer", await peer.createAnswer())
        return None
    channel = peer.createDataChannel("bench", ordered=ordered)
    channel.on("open", up.set)
    await local("offer", await peer.createOffer())
    await remote("answer")
    return send


async def asyncio_peer(transport: str, ordered: bool, role: str, seconds: float, folder: Path) -> None:
    up = asyncio.Event()
    async with AsyncExitStack() as finally_:
        if transport == "aiortc":
            send = await aiortc(role, folder, up, finally_, ordered)
        else:
            send = await {"tcp": tcp, "websocket": websocket}[transport](role, folder, up, finally_)
        await up.wait()
        opened(role, seconds)
        if send:
            say(f"made at most {await pace(send, seconds):.1f} ms late")
            await asyncio.sleep(LINGER + 1)
        else:
            await asyncio.sleep(seconds + LINGER)


PAGE = """
const peer = new RTCPeerConnection(), got = new Map();
const now = () => (performance.timeOrigin + performance.now()) * 1e3;
let channel, isOpen;
const opened = new Promise(done => isOpen = () => done(null));
const use = given => {
  channel = given;
  channel.binaryType = 'arraybuffer';
  channel.onmessage = event => {
    const at = now(), data = new DataView(event.data), number = data.getUint32(0, true);
    if (!got.has(number)) got.set(number, Math.round(at - data.getFloat64(4, true)));
  };
  if (channel.readyState === 'open') isOpen(); else channel.onopen = isOpen;
};
peer.ondatachannel = event => use(event.channel);
const local = async () => {
  await peer.setLocalDescription();
  while (peer.iceGatheringState !== 'complete') await new Promise(done => setTimeout(done, 10));
  return JSON.stringify(peer.localDescription);
};
const offer = ordered => { use(peer.createDataChannel('bench', {ordered})); return local(); };
const accept = description => peer.setRemoteDescription(description);
const pace = (count, rate, size) => new Promise(done => {
  const start = performance.now(), data = new DataView(new ArrayBuffer(size)), due = n => start + n * 1e3 / rate;
  let number = 0, latest = 0;
  const tick = () => {
    for (; number < count && performance.now() >= due(number); number++) {
      latest = Math.max(latest, performance.now() - due(number));
      data.setUint32(0, number, true);
      data.setFloat64(4, now(), true);
      channel.send(data.buffer);
    }
    if (number < count) setTimeout(tick, Math.ceil(due(number) - performance.now())); else done(latest);
  };
  tick();
});
"""

CHROMIUM = """chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update --disable-background-timer-throttling
    --disable-renderer-backgrounding --disable-backgrounding-occluded-windows
    --disable-features=WebRtcHideLocalIpsWithMdns --remote-debugging-pipe""".split()
# A process namespace of its own: when its first process ends so do all, whatever group they moved to. DevTools speak
# on descriptors 3 and 4, and Chromium ends when they close, so also when this process is killed.
UNSHARE = "unshare --pid --fork --kill-child --mount-proc".split()
ON_PIPES = [*UNSHARE, "sh", "-c", 'exec "$@" 3<&0 4>&1 >&2 </dev/null', "sh"]


@contextmanager
def chromium_page(role: str, folder: Path) -> Iterator[Callable[[str], Any]]:
    """A page in a Chromium of its own: yields what evaluates an expression there and awaits its promise."""
    rest, calls = b"", 0
    session: dict[str, str] = {}

    def call(method: str, **params: Any) -> Any:
        nonlocal rest, calls
        calls += 1
        to_page.write(json.dumps({"id": calls, "method": method, "params": params, **session}).encode() + b"\0")
        while True:
            while b"\0" not in rest:
                more = from_page.read(1 << 16)
                if not more:
                    sys.exit(f"peers.py: Chromium ended, see {log.name}")
                rest += more
            text, _, rest = rest.partition(b"\0")
            reply = json.loads(text)
            if reply.get("id") == calls:
                if "error" in reply:
                    sys.exit(f"peers.py: {method}: {reply['error']}")
                return reply["result"]

    def evaluate(expression: str) -> Any:
        reply = call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in reply:
            sys.exit(f"peers.py: in the page: {reply['exceptionDetails']}")
        return reply["result"].get("value")

    with (
        tempfile.TemporaryDirectory(prefix=f"{role}-", dir=folder, ignore_cleanup_errors=True) as scratch,
        (folder / f"chromium-{role}.log").open("wb") as log,
        subprocess.Popen(
            [*ON_PIPES, *CHROMIUM, f"--user-data-dir={scratch}/profile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            start_new_session=True,
            env=os.environ | {"TMPDIR": scratch},
        ) as process,
    ):
        to_page, from_page = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            # A page that may not record sees no interface but that of the default route, and here is none.
            call("Browser.grantPermissions", permissions=["audioCapture"])
            target = call("Target.createTarget", url="about:blank")["targetId"]
            session = {"sessionId": call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
            evaluate(PAGE)
            yield evaluate
        finally:
            to_page.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def clock(evaluate: Callable[[str], Any]) -> str:
    """The page's clock less Python's, from the quickest of many readings."""
    readings = []
    for _ in range(100):
        before = time.time_ns() / 1e3
        page = evaluate("now()")
        after = time.time_ns() / 1e3
        readings.append((after - before, page - (before + after) / 2))
    width, offset = min(readings)
    return f"page's clock {offset:+.0f} us, give or take {width / 2:.0f}"


def chromium_peer(role: str, ordered: bool, seconds: float, folder: Path) -> None:
    with chromium_page(role, folder) as evaluate:
        say(clock(evaluate))
        if role == "tx":
            put(folder / "offer", evaluate(f"offer({json.dumps(ordered)})"))
            evaluate(f"accept({take(folder / 'answer')})")
        else:
            evaluate(f"accept({take(folder / 'offer')})")
            put(folder / "answer", evaluate("local()"))
        evaluate("opened")
        opened(role, seconds)
        if role == "tx":
            say(f"made at most {evaluate(f'pace({round(seconds * RATE)}, {RATE}, {SIZE})'):.1f} ms late")
            time.sleep(LINGER + 1)
        else:
            time.sleep(seconds + LINGER)
            got.update(evaluate("[...got]"))
        say(clock(evaluate))


def out_of_time(*_: object) -> NoReturn:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # should putting things away hang, that ends too
    signal.alarm(10)
    sys.exit("peers.py: out of time")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["rx", "tx"])
    rtc = [f"{peer} {order}" for peer in ("aiortc", "chromium") for order in ("ordered", "unordered")]
    parser.add_argument("transport", choices=["tcp", "websocket", *rtc])
    parser.add_argument("seconds", type=float)
    parser.add_argument("folder", type=Path)
    a = parser.parse_args()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.alarm(OPEN_LIMIT)
    transport, _, order = a.transport.partition(" ")
    if transport == "chromium":
        chromium_peer(a.role, order == "ordered", a.seconds, a.folder)
    else:
        asyncio.run(asyncio_peer(transport, order == "ordered", a.role, a.seconds, a.folder))
    for number, latency in got.items():
        print(number, latency)


if __name__ == "__main__":
    main()
