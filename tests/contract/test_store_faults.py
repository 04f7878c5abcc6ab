"""A real S3 server behind a line on which answers get lost, and servers that are busy or know less than S3."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque

import aiohttp
import pytest
from aiohttp import web

from pipeline.errors import StoreError
from pipeline.store import prove
from pipeline.store.objects import ObjectStore

CONFLICT = "<Error><Code>ConditionalRequestConflict</Code><Message>Please retry</Message></Error>"
SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
UNKNOWN = (
    "<Error><Code>NotImplemented</Code><Message>A header means what is not implemented</Message></Error>"
)


class Line:
    """A proxy before an S3 server; each PUT takes the next of *faults*, and what is not listed passes.

    Attributes:
        puts: how many came.
        forgets: the header ``If-None-Match`` is lost on the way, as on servers that do not know it.
    """

    def __init__(self, server: str) -> None:
        self.faults: deque[str] = deque()
        self.puts = 0
        self.forgets = False
        self._server = server

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        fault = None
        if request.method == "PUT":
            self.puts += 1
            fault = self.faults.popleft() if self.faults else None
        if fault == "conflict":
            return web.Response(status=409, text=CONFLICT)
        if fault == "busy":
            return web.Response(status=503, text=SLOW_DOWN)
        if fault == "unknown":
            return web.Response(status=501, text=UNKNOWN)
        if fault == "cut":
            request.transport.abort()
            return web.Response()
        answer = await self._pass_on(request, body)
        if fault == "lost":
            request.transport.abort()
        if fault == "broken":
            return web.Response(status=500, text="<Error><Code>InternalError</Code></Error>")
        return answer

    async def _pass_on(self, request: web.BaseRequest, body: bytes) -> web.Response:
        headers = request.headers.copy()
        if self.forgets:
            headers.popall("If-None-Match", None)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, self._server + request.raw_path, data=body, headers=headers
            ) as answer,
        ):
            kept = {
                k: v
                for k, v in answer.headers.items()
                if k.lower() not in ("transfer-encoding", "connection")
            }
            if request.method == "HEAD":
                return web.Response(status=answer.status, headers=kept)
            kept.pop("Content-Length", None)
            return web.Response(status=answer.status, headers=kept, body=await answer.read())


@pytest.fixture
async def line(moto_bucket, monkeypatch):
    for name, value in moto_bucket.environment.items():
        monkeypatch.setenv(name, value)
    handler = Line(moto_bucket.environment["AWS_ENDPOINT_URL"])
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    yield handler
    await runner.cleanup()


@pytest.fixture
def store(line, moto_bucket):
    return ObjectStore(f"{moto_bucket.url}/{secrets.token_hex(6)}")


@pytest.mark.parametrize("fault", ["lost", "broken"])
async def test_a_put_whose_answer_is_lost_is_our_own(line, store, fault):
    """The second try finds the bytes of the first, and must not take them for another writer's."""
    line.faults.append(fault)
    assert await store.put_new("a", b"ours")
    assert line.puts == 2
    assert not await store.put_new("a", b"ours"), "the doubt is over: this is a second put"


async def test_so_it_is_when_all_tries_were_in_doubt(line, store):
    """What keeps puts that must not be lost begins anew with the same bytes."""
    line.faults.extend(["lost"] * 4)
    with pytest.raises(StoreError, match="cannot write"):
        await store.put_new("a", b"ours")
    assert await store.put_new("a", b"ours")
    assert await store.get("a") == b"ours"


async def test_so_it_is_after_a_cancel(line, store):
    line.faults.append("lost")
    putting = asyncio.create_task(store.put_new("a", b"ours"))
    async with asyncio.timeout(10):
        while not await store.get("a"):  # noqa: ASYNC110 - the store has no events
            await asyncio.sleep(0.01)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    assert await store.put_new("a", b"ours")


@pytest.mark.parametrize("fault", ["lost", "broken", "cut", "busy", "conflict"])
async def test_another_writers_bytes_are_never_ours(line, store, fault):
    await store.put("a", b"theirs")
    line.faults.append(fault)
    assert not await store.put_new("a", b"ours")
    assert await store.get("a") == b"theirs"


@pytest.mark.parametrize("fault", ["cut", "busy", "conflict"])
async def test_a_put_that_was_never_made_is_made(line, store, fault):
    """409 is no 412: another put was under way, and may have come to nothing."""
    line.faults.extend([fault, fault])
    assert await store.put_new("a", b"ours")
    assert line.puts == 3
    assert await store.get("a") == b"ours"


async def test_of_two_in_doubt_one_wins(line, store, moto_bucket):
    other = ObjectStore(store.url)
    for turn in range(6):
        line.faults.extend(["lost", "broken"])
        won = await asyncio.gather(
            store.put_new(f"{turn}", b"one, by its token"), other.put_new(f"{turn}", b"two, by its token")
        )
        there = await store.get(f"{turn}")
        assert won == [there == b"one, by its token", there == b"two, by its token"]


async def test_patience_has_an_end(line, store):
    line.faults.extend(["busy"] * 50)
    with pytest.raises(StoreError, match=r"s3://.*/a: cannot write \(it asks to slow down\)"):
        await store.put_new("a", b"ours")
    with pytest.raises(StoreError, match="slow down"):
        await store.put("a", b"ours")
    assert line.puts <= 10


async def test_a_store_that_forgets_conditions_is_found_out(line, store):
    line.forgets = True
    with pytest.raises(StoreError, match="lets a second writer replace"):
        await prove(store)


async def test_a_store_that_refuses_conditions_is_found_out(line, store):
    line.faults.extend(["unknown"] * 10)
    with pytest.raises(StoreError, match="does not support conditional puts"):
        await prove(store)
